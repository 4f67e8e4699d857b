"""The look before a run: it refuses what the run would, and counts what the run would have."""

from pathlib import Path

import pytest

from components.common.events import Events
from components.common.surveys import Survey
from components.preprocess.config import PreprocessConfig
from components.preprocess.survey import survey
from tests.components.preprocess.folders import last_result, preprocess, write_folder
from tests.synthetic import run_context


def look(work: Path, **source: str) -> Survey:
    return survey(PreprocessConfig(**source), run_context(work), Events("survey"))


def test_it_counts_what_the_run_has(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "source")
    (source / "bar" / "torn.png").write_bytes(b"")
    found = look(tmp_path, folder=str(source))
    assert not (tmp_path / "data").exists(), "a look leaves nothing"
    manifest = preprocess(tmp_path, folder=str(source))
    assert found.problem is None
    assert {split: found.in_split(split) for split in manifest.splits} == {
        split: held.examples for split, held in manifest.splits.items()
    }
    assert found.examples["train"].keys() == set(manifest.class_names)
    assert found.rejected == sum(manifest.rejects.values()) == 1


def _empty(folder: Path) -> dict[str, str]:
    return {"folder": str(folder)}


def _single_class(folder: Path) -> dict[str, str]:
    write_folder(folder / "only")
    return {"folder": str(folder)}


def _broken(folder: Path) -> dict[str, str]:
    write_folder(folder)
    for path in (folder / "bar").iterdir():
        path.write_bytes(b"")
    return {"folder": str(folder)}


def _list_of_nothing(folder: Path) -> dict[str, str]:
    (folder / "list.csv").write_text("path,label\nnone.png,a\nnothing.png,b\n")
    return {"list": str(folder / "list.csv")}


def _unknown_split(folder: Path) -> dict[str, str]:
    (folder / "list.csv").write_text("path,label,split\nnone.png,a,holdout\n")
    return {"list": str(folder / "list.csv")}


@pytest.mark.parametrize("make", [_empty, _single_class, _broken, _list_of_nothing, _unknown_split])
def test_what_a_run_refuses_is_refused_in_the_same_words(make, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    source = make(tmp_path / "source")
    found = look(tmp_path, **source)
    with pytest.raises(SystemExit):
        preprocess(tmp_path, **source)
    assert found.problem
    assert last_result(tmp_path).message.partition("\nAll of them")[0] == found.problem
