"""Which example is in which split, and what a training has seen where data sets change."""

import numpy as np

from components.common.data.membership import Membership, example_digest
from components.common.documents.dataset import Split

BEFORE = Membership.of(
    [("a", "", "train"), ("b", "", "validation"), ("c", "", "test"), ("d", "ducks", "train")]
)


def unseen(examples: list[tuple[str, str, Split]], *ids: str) -> list[bool]:
    now = Membership.of(examples)
    found: list[bool] = now.unseen_by(BEFORE, np.array([id_.encode() for id_ in ids])).tolist()
    return found


def test_where_no_split_changed_nothing_of_the_test_was_seen():
    examples = [("a", "", "train"), ("b", "", "train"), ("c", "", "test"), ("new", "", "test")]
    assert unseen(examples, "new", "c") == [True, True]


def test_an_example_that_changed_its_split_was_seen():
    assert unseen([("a", "", "test"), ("b", "", "train"), ("c", "", "test")], "c", "a") == [
        True,
        False,
    ]


def test_a_new_member_of_a_group_that_was_trained_on_was_seen():
    assert unseen([("duck", "ducks", "test"), ("goose", "geese", "test")], "duck", "goose") == [
        False, True
    ]  # fmt: skip


def test_groups_that_are_new_part_nothing_from_what_it_was():
    examples = [("a", "letters", "test"), ("c", "letters", "test"), ("d", "", "test")]
    assert unseen(examples, "a", "c", "d") == [False, True, False]


def test_a_membership_is_read_as_it_was_written(tmp_path):
    BEFORE.write(tmp_path)
    data = (tmp_path / "membership.npz").read_bytes()
    for read in (Membership.read(tmp_path), Membership.parse(data)):
        assert read.ids.tolist() == sorted(BEFORE.ids.tolist())
        assert read.groups.tolist() == BEFORE.groups.tolist()
        assert read.splits.tolist() == BEFORE.splits.tolist()
    Membership.of([]).write(tmp_path)
    assert len(Membership.read(tmp_path).ids) == 0


def test_what_splits_share_is_found():
    membership = Membership.of(
        [
            ("a", "", "train"),
            ("a", "", "validation"),
            ("b", "ducks", "train"),
            ("c", "ducks", "test"),
            ("d", "geese", "validation"),
            ("e", "geese", "validation"),
        ]
    )
    assert membership.find_shared_examples("train", "validation") == [example_digest("a")]
    assert membership.find_shared_examples("train", "test").size == 0
    (ducks,) = membership.find_shared_groups("train", "test").tolist()
    assert membership.members_of(ducks) == {example_digest("b"), example_digest("c")}
    for other in ("train", "test"):
        assert membership.find_shared_groups(other, "validation").size == 0
    assert Membership.of([]).find_shared_groups("train", "test").size == 0
