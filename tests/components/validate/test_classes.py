"""What classes' counts and names give away before anything is trained."""

import pytest

from components.validate.classes import (
    find_constant_test,
    find_imbalance,
    find_mirrored_classes,
    find_small_test_classes,
    name_words,
)
from components.validate.config import ValidateConfig
from tests.components.validate.manifests import check, manifest


def test_a_rare_class_is_named_with_the_setting_that_makes_up_for_it():
    found = manifest(train=(633, 70, 70))
    (message,) = find_imbalance(found, ValidateConfig())
    assert "bar has 633 training examples, more than 9 times as many as" in message
    assert "cross (70) and disc (70)" in message
    assert "train.class_weights: balanced" in message
    assert list(find_imbalance(manifest(train=(630, 70, 70)), ValidateConfig())) == []
    (finding,) = check(found, label_skew="ignore")
    assert (finding.check, finding.severity) == ("imbalance", "warn")


def test_a_training_that_makes_up_for_rare_classes_is_not_warned_of_them():
    found = manifest(train=(633, 70, 70))
    assert list(find_imbalance(found, ValidateConfig(balanced=True))) == []
    assert check(found, balanced=True, label_skew="ignore") == ()


def test_a_test_split_with_hardly_anything_but_one_class_proves_nothing():
    config = ValidateConfig(min_other_test_examples=7)
    (message,) = find_constant_test(manifest(test=(90, 4, 2)), config)
    assert "has 6 examples of other classes than bar, and at least 7 are needed" in message
    assert "better than always answering bar" in message
    assert list(find_constant_test(manifest(test=(90, 4, 3)), config)) == []
    (finding,) = check(manifest(test=(90, 4, 2)), min_other_test_examples=7, label_skew="ignore")
    assert (finding.check, finding.severity) == ("test_examples", "stop")


def test_a_class_with_too_few_test_examples_for_its_recall_is_named():
    config = ValidateConfig(min_test_examples_per_class=14)
    (message,) = find_small_test_classes(manifest(test=(30, 13, 14)), config)
    assert "fewer than 14 test examples of cross (13)" in message
    assert "budgets.min_class_recall" in message
    (finding,) = check(manifest(test=(30, 13, 14)), min_test_examples_per_class=14)
    assert (finding.check, finding.severity) == ("test_examples", "stop")


@pytest.mark.parametrize(
    "names",
    [
        ("left", "right", "up"),
        ("left_arrow", "other", "right_arrow"),
        ("TurnLeft", "TurnRight", "Ahead"),
        ("turn-left", "straight", "turn right"),
        ("knee_L", "knee_R", "none"),
        ("b", "d", "x"),
        ("east", "north", "west"),
        ("clockwise", "counter-clockwise", "still"),
        ("anticlockwise", "clockwise", "still"),
        ("←", "↑", "→"),
    ],
)
def test_names_that_a_mirror_turns_into_one_another_are_told_where_training_flips(names):
    found = manifest(classes=names)
    (message,) = find_mirrored_classes(found, ValidateConfig(mirrored=True))
    assert "train.augment.flip: false" in message and "looks like one of" in message
    assert list(find_mirrored_classes(found, ValidateConfig())) == []
    (finding,) = check(found, mirrored=True)
    assert (finding.check, finding.severity) == ("mirrored_classes", "warn")


@pytest.mark.parametrize(
    "names",
    [
        ("cleft", "bright", "copyright"),  # No words, but parts of some.
        ("left", "middle", "centre"),  # Its mirror image is in no class.
        ("right", "wrong", "unsure"),
        ("0", "1", "8"),  # The same in a mirror.
        ("bar", "cross", "disc"),
        ("clockwise", "still", "wobbling"),
    ],
)
def test_other_names_are_not_taken_for_mirrored_ones(names):
    assert list(find_mirrored_classes(manifest(classes=names), ValidateConfig(mirrored=True))) == []


def test_characters_are_told_that_they_are_read_one_way():
    (message,) = find_mirrored_classes(
        manifest(classes=("6", "8", "9")), ValidateConfig(mirrored=True)
    )
    assert "6 and 9 look like characters" in message


def test_words_are_parted_at_signs_and_capitals():
    assert name_words("TurnLeft_2") == {"turn", "left", "2"}
    assert name_words("Counter clockwise") == {"counterclockwise"}
    assert name_words("→ ahead") == {"→", "ahead"}
