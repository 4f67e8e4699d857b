"""Each check on manifests made to fail it, and on one that passes."""

import pytest

from components.validate.checks import (
    check_dataset,
    explain_stop,
    find_changed_classes,
    find_duplicates,
    find_missing_classes,
    find_parted_groups,
    find_small_classes,
    find_small_test,
)
from components.validate.config import ValidateConfig
from tests.components.validate.manifests import check, manifest, membership_of


def test_a_sound_data_set_has_no_findings():
    assert check(manifest(), blessed=manifest()) == ()


def test_a_small_test_split_names_what_is_needed_and_what_is_there():
    config = ValidateConfig(min_test_examples=270)
    (message,) = find_small_test(manifest(), config)
    assert "has 45 examples, and at least 270 are needed" in message
    assert "data.splits.test" in message
    assert list(find_small_test(manifest(test=(90, 90, 90)), config)) == []


def test_a_search_is_warned_of_a_validation_split_that_is_too_small_to_rank_on():
    (finding,) = check(manifest(), examples_to_rank=400)
    assert (finding.check, finding.severity) == ("few_to_rank", "warn")
    assert "the validation split has 45 examples" in finding.message
    assert "about 400" in finding.message and "data.splits.validation" in finding.message
    assert check(manifest(), examples_to_rank=45) == check(manifest()) == ()


def test_a_missing_class_is_named_for_each_split():
    found = manifest(validation=(0, 15, 15), test=(0, 0, 15))
    first, second = find_missing_classes(found)
    assert "the validation split has no example of bar" in first
    assert "the test split has no example of bar and cross" in second
    for way_out in ("more examples", "smaller groups", "data.list", "data.exclude", "=warn"):
        assert way_out in first


def test_what_validation_and_test_lack_may_be_near_copies():
    found = manifest(train=(0, 70, 70), validation=(0, 15, 15))
    found = found.model_copy(update={"rejects": {"near_copy": 15}})
    in_training, in_validation = find_missing_classes(found)
    (few,) = find_small_test(found, ValidateConfig(min_test_examples=270))
    told = "15 near copies were kept out of validation and test (data.near_copies=keep"
    assert told in in_validation and told in few and told not in in_training


def test_small_classes_are_named_with_their_counts():
    found = manifest(train=(3, 70, 9))
    (message,) = find_small_classes(found, at_least=10)
    assert "fewer than 10 training examples of bar (3) and disc (9)" in message
    assert list(find_small_classes(found, at_least=3)) == []


def test_many_names_are_cut_short():
    classes = tuple(f"c{index}" for index in range(8))
    found = manifest((1,) * 8, (1,) * 8, (1,) * 8, classes=classes)
    (message,) = find_small_classes(found, at_least=2)
    assert "c0 (1), c1 (1), c2 (1), c3 (1), c4 (1) and 3 more" in message


def test_duplicates_are_found_between_any_two_splits():
    ids = {"train": ["a", "b", "c"], "validation": ["d", "c"], "test": ["b", "d"]}
    first, second, third = find_duplicates(membership_of(ids), ids.__getitem__)
    assert first.startswith("train and validation share 1 of their examples") and "c" in first
    assert second.startswith("train and test share 1 of")
    assert third.startswith("validation and test share 1 of")


def test_changed_classes_are_told_apart():
    now = manifest(classes=("bar", "cross", "ring"))
    (message,) = find_changed_classes(now, manifest())
    assert message.endswith("(new: ring; gone: disc)")


@pytest.mark.parametrize("action", ["ignore", "warn", "stop"])
def test_a_finding_is_as_severe_as_configured(action):
    found = manifest(train=(3, 70, 70))
    findings = check(found, too_few_examples=action, imbalance="ignore", label_skew="ignore")
    assert [finding.severity for finding in findings] == ([] if action == "ignore" else [action])
    assert (explain_stop(findings) is not None) == (action == "stop")


def test_shards_are_read_only_to_name_what_splits_share():
    read = []

    def read_ids(split):
        read.append(split)
        return ["a"]

    ids = {"train": ["a"], "validation": ["b"], "test": ["c"]}
    for twice, expected in (([], []), (["a"], ["validation"])):
        membership = membership_of({**ids, "validation": ["b", *twice]})
        check_dataset(
            manifest(), ValidateConfig(), membership=membership, blessed=None, read_ids=read_ids
        )
        assert read == expected


def test_parted_groups_are_found_between_any_two_splits():
    ids = {"train": ["a", "b", "c"], "validation": ["d", "e"], "test": ["f"]}
    groups = {"a": "1", "b": "2", "d": "1", "e": "2", "f": "2"}
    parted = membership_of(ids, groups)
    first, second, third = find_parted_groups(parted, ids.__getitem__)
    assert first.startswith("train and validation share 2 of their groups")
    assert "for example of b and e" in first
    assert second.startswith("train and test share 1 of") and "of b and f" in second
    assert third.startswith("validation and test share 1 of")
    assert list(find_parted_groups(membership_of(ids), ids.__getitem__)) == []


def test_all_stopping_findings_are_told_at_once():
    findings = check(
        manifest(train=(3, 70, 70), test=(0, 15, 15)),
        ids={"train": ["a"], "validation": ["a"], "test": ["c"]},
        blessed=manifest(brightness=(0, 300)),
        min_test_examples=100,
        label_skew="ignore",
    )
    assert [(finding.check, finding.severity) for finding in findings] == [
        ("test_examples", "stop"),
        ("missing_class", "stop"),
        ("duplicates_across_splits", "stop"),
        ("too_few_examples", "warn"),
        ("imbalance", "warn"),
        ("label_drift", "warn"),
        ("label_drift", "warn"),
        ("trait_drift", "warn"),
    ]
    message = explain_stop(findings)
    assert message is not None
    for check_ in ("test_examples", "missing_class", "duplicates_across_splits"):
        assert f"\n  {check_}: " in message
    assert "trait_drift" not in message
