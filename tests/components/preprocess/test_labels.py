"""Classes that a recipe names otherwise than their source does."""

from pathlib import Path

import pytest

from components.common.errors import UserError
from components.preprocess.config import PreprocessConfig
from components.preprocess.sources import Listing
from components.preprocess.stage import list_source
from tests.builders.synthetic import run_context

MAILS = {"easy-ham": "ham", "hard-ham": "ham"}


def listed(folder: Path, labels: dict[str, str]) -> Listing:
    for name in ("spam", "easy-ham", "hard-ham"):
        (folder / "mails" / name).mkdir(parents=True, exist_ok=True)
        (folder / "mails" / name / "1.txt").write_text(f"This is {name}.")
    told = {"folder": str(folder / "mails"), "text": {}, "labels": labels}
    return list_source(PreprocessConfig.model_validate(told), run_context(folder))


def test_folders_of_one_name_are_one_class(tmp_path: Path) -> None:
    found = listed(tmp_path, MAILS)
    assert found.class_names == ("ham", "spam")
    assert {record.path: record.label for record in found.records} == {
        "easy-ham/1.txt": "ham",
        "hard-ham/1.txt": "ham",
        "spam/1.txt": "spam",
    }
    assert [*found.records] == sorted(found.records, key=lambda record: record.values())


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"easy_ham": "ham"}, "has no class 'easy_ham'; did you mean 'easy-ham'"),
        ({"cats": "dogs"}, "has no class 'cats'; there are easy-ham, hard-ham and spam"),
        ({**MAILS, "spam": "ham"}, "leaves a single class, 'ham'"),
    ],
)
def test_names_that_fit_no_class_are_refused(
    labels: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=rf"data\.labels: .*{message}"):
        listed(tmp_path, labels)


@pytest.mark.parametrize("name", ["", " ", "two\nlines"])
def test_a_name_that_no_list_of_labels_can_hold_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="expected the name of a class"):
        PreprocessConfig.model_validate({"labels": {"spam": name}})
