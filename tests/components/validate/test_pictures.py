"""Odd pictures and shapes, told with what to do."""

import pytest

from components.common.documents.rejects import Note
from components.validate.checks import check_dataset
from components.validate.config import ValidateConfig
from tests.components.validate.manifests import manifest, membership_of

IDS = {"train": ["a"], "validation": ["b"], "test": ["c"]}


def check(*notes: Note, fit: str = "crop", not_square: int = 0, **values) -> dict[str, str]:
    """Returns the message of each check that noticed something."""
    found = manifest()
    found = found.model_copy(
        update={
            "statistics": found.statistics.model_copy(update={"not_square": not_square}),
            "spec": found.spec.model_copy(update={"fit": fit}),
        }
    )
    findings = check_dataset(
        found,
        ValidateConfig(**values),
        membership=membership_of(IDS),
        blessed=None,
        read_ids=IDS.__getitem__,
        notes=notes,
    )
    assert {finding.severity for finding in findings} <= {"warn"}
    return {finding.check: finding.message for finding in findings}


def blank(count: int) -> list[Note]:
    return [Note(f"bar/{n}.png", "one_colour", "is #ffffff all over") for n in range(count)]


def test_pictures_of_one_colour_are_named_with_the_remedies():
    message = check(*blank(7))["one_colour"]
    assert "7 pictures are of one colour" in message
    assert "bar/0.png (is #ffffff all over)" in message and "2 more" in message
    assert "another data.background" in message and "data.fit: pad" in message
    assert "data.fit" not in check(*blank(1), fit="pad")["one_colour"]
    assert check(*blank(7), one_colour="ignore") == {}


def test_equal_pictures_of_several_classes_are_named():
    note = Note("a/1.png", "same_pixels", "same pixels as b/2.png, which is labelled b")
    message = check(note, note)["same_pixels"]
    assert "2 pictures are the same as one of another class" in message
    assert "a/1.png (same pixels as b/2.png, which is labelled b)" in message


def test_other_notes_are_no_findings():
    assert check(Note("a/1.jpg", "wrong_extension", "is PNG, named like JPEG")) == {}


@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_what_runtimes_do_with_other_shapes_is_told(fit):
    message = check(fit=fit, not_square=150)["not_square"]
    assert "50" in message and "MediaPipe and the Task Library stretch" in message
    assert "Choose data.fit: stretch" in message
    assert check(fit=fit, not_square=3) == {}


def test_stretched_pictures_are_what_runtimes_show():
    assert check(fit="stretch", not_square=300) == {}
