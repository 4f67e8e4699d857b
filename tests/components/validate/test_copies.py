"""What is told of examples that are nearly the same."""

from components.common.documents.near_copies import NearCopies, NearCopy
from components.common.documents.placed import Placed
from components.validate.copies import (
    find_left_out,
    find_near_contradictions,
    find_near_copies,
)
from tests.components.validate.manifests import check, manifest


def placed(path: str, split: str, label: int) -> Placed:
    return Placed(id=path, path=path, label=label, split=split, shard="shards/1")


PARTED = NearCopy(one=placed("a.png", "train", 0), other=placed("b.png", "test", 0))
CONTRADICTING = NearCopy(one=placed("c.png", "test", 1), other=placed("d.png", "test", 2))


def test_pairs_in_two_splits_are_named_with_their_splits():
    found = NearCopies(in_two_splits=3, with_two_labels=0, pairs=(PARTED,) * 3)
    (message,) = find_near_copies(found, manifest())
    assert message.startswith("3 pairs of pictures are nearly the same and in two splits")
    assert "a.png (train) and b.png (test)" in message
    assert "one group in a data.list" in message and "data.near_copies=leave_out" in message
    assert list(find_near_contradictions(found, manifest())) == []


def test_what_was_left_out_is_told_and_stops_no_run():
    found = NearCopies(in_two_splits=3, left_out=2, with_two_labels=0, pairs=(PARTED,) * 2)
    (message,) = find_left_out(found, manifest())
    assert message.startswith("2 of the pictures were kept out of validation and test")
    assert "b.png (test), as a.png (train)" in message and "data.near_copies=keep" in message
    assert list(find_near_copies(found, manifest())) == []
    for severity, told in (("stop", ["warn"]), ("ignore", [])):
        findings = check(manifest(), pairs=found, near_copies=severity)
        assert [finding.severity for finding in findings] == told


def test_pairs_of_two_classes_are_named_with_these():
    found = NearCopies(in_two_splits=0, with_two_labels=1, pairs=(CONTRADICTING,))
    (message,) = find_near_contradictions(found, manifest())
    assert message.startswith("1 pair of pictures is nearly the same and of two classes: ")
    assert "c.png (cross) and d.png (disc)" in message
    assert list(find_near_copies(found, manifest())) == []


def test_pairs_that_are_not_told_are_counted():
    found = NearCopies(in_two_splits=900, with_two_labels=0, pairs=(PARTED,) * 50)
    (message,) = find_near_copies(found, manifest())
    assert "and 895 more." in message


def test_each_sort_is_as_severe_as_configured():
    found = NearCopies(in_two_splits=1, with_two_labels=1, pairs=(PARTED, CONTRADICTING))
    findings = check(manifest(), pairs=found, near_contradictions="stop")
    assert [(finding.check, finding.severity) for finding in findings] == [
        ("near_contradictions", "stop"),
        ("near_copies", "warn"),
    ]
    assert check(manifest()) == ()
