"""The look before a run: it refuses what the run would, and counts what the run would have."""

from pathlib import Path

import pytest

from components.common.documents.dataset import DatasetManifest
from components.preprocess.component import survey
from components.preprocess.config import PreprocessConfig
from tests.builders.synthetic import run_context
from tests.components.preprocess.folders import last_result, preprocess, write_folder


def look(work: Path, **source: str) -> None:
    config = PreprocessConfig(**source).to_json()
    survey(config=config, context=run_context(work / "look").to_json(), dataset=work / "looked")


def test_it_counts_what_the_run_has(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "source")
    (source / "bar" / "torn.png").write_bytes(b"")
    look(tmp_path, folder=str(source))
    assert not list((tmp_path / "look").rglob("*.tfrecord")), "it writes no examples"
    looked = DatasetManifest.read(tmp_path / "looked")
    manifest = preprocess(tmp_path, folder=str(source))
    for split, found in manifest.splits.items():
        assert looked.splits[split].examples_per_class == found.examples_per_class
        assert looked.splits[split].examples == found.examples
    assert (looked.class_names, looked.records) == (manifest.class_names, manifest.records)
    assert looked.rejects == manifest.rejects == {"empty": 1}


@pytest.mark.slow
def test_it_looks_at_a_sample_too(tmp_path: Path) -> None:
    look(tmp_path, sample="digits")
    assert DatasetManifest.read(tmp_path / "looked").records == 1797


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
    with pytest.raises(SystemExit):
        look(tmp_path, **source)
    refused = last_result(tmp_path / "look").message
    with pytest.raises(SystemExit):
        preprocess(tmp_path, **source)
    assert refused
    assert last_result(tmp_path).message.partition("\nAll of them")[0] == refused
