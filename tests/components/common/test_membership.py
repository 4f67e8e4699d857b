"""Which examples a training has seen, where data sets change."""

import numpy as np

from components.common.membership import Membership

BEFORE = Membership.of([("a", "", True), ("b", "", True), ("c", "", False), ("d", "ducks", True)])


def unseen(examples: list[tuple[str, str, bool]], *ids: str) -> list[bool]:
    now = Membership.of(examples)
    found: list[bool] = now.unseen_by(BEFORE, np.array([id_.encode() for id_ in ids])).tolist()
    return found


def test_where_no_split_changed_nothing_of_the_test_was_seen():
    examples = [("a", "", True), ("b", "", True), ("c", "", False), ("new", "", False)]
    assert unseen(examples, "new", "c") == [True, True]


def test_an_example_that_changed_its_split_was_seen():
    assert unseen([("a", "", False), ("b", "", True), ("c", "", False)], "c", "a") == [True, False]


def test_a_new_member_of_a_group_that_was_trained_on_was_seen():
    assert unseen([("duck", "ducks", False), ("goose", "geese", False)], "duck", "goose") == [
        False, True
    ]  # fmt: skip


def test_groups_that_are_new_part_nothing_from_what_it_was():
    examples = [("a", "letters", False), ("c", "letters", False), ("d", "", False)]
    assert unseen(examples, "a", "c", "d") == [False, True, False]


def test_a_membership_is_read_as_it_was_written(tmp_path):
    BEFORE.write(tmp_path)
    data = (tmp_path / "membership.npz").read_bytes()
    for read in (Membership.read(tmp_path), Membership.parse(data)):
        assert read.ids.tolist() == sorted(BEFORE.ids.tolist())
        assert read.groups.tolist() == BEFORE.groups.tolist()
        assert read.seen.tolist() == BEFORE.seen.tolist()
    Membership.of([]).write(tmp_path)
    assert len(Membership.read(tmp_path).ids) == 0


def test_the_groups_of_some_examples_are_found():
    groups = BEFORE.groups_of(["d", "a", "unknown", "d"])
    assert groups[1:3] == [None, None] and groups[0] == groups[3] is not None
    assert Membership.of([]).groups_of(["a"]) == [None]
