"""How far a data set has moved: which statistic tells of it, and that chance does not."""

import pytest

from components.common.documents.dataset import SPLITS
from components.validate.config import ValidateConfig
from components.validate.drift import (
    find_label_drift,
    find_label_skew,
    find_trait_drift,
    find_trait_skew,
)
from tests.components.validate.manifests import brightness_trait, check, manifest

MANY = ((7000, 7000, 7000), (1500, 1500, 1500), (1500, 1500, 1500))


def config(**values) -> ValidateConfig:
    return ValidateConfig(**values)


def test_each_statistic_of_the_labels_has_its_own_threshold():
    now = manifest((11_500, 7000, 2500), *MANY[1:])
    both = list(find_label_drift(now, manifest(*MANY), config()))
    assert [message.split(" (")[0] for message in both] == [
        "L-infinity is 0.15",
        "Jensen-Shannon divergence is 0.0259",
    ]
    assert "(threshold 0.1)" in both[0] and "(threshold 0.02)" in both[1]
    assert both[0].endswith("most of it from bar, 48.3 % here and 33.3 % there")
    (infinity,) = find_label_drift(now, manifest(*MANY), config(max_label_jensen_shannon=0.03))
    (bits,) = find_label_drift(now, manifest(*MANY), config(max_label_l_infinity=0.16))
    assert [infinity, bits] == both


def test_classes_are_compared_by_their_names():
    now = manifest((7000, 0, 7000), (1500, 0, 1500), (1500, 0, 1500), classes=("disc", "x", "bar"))
    (first, second) = find_label_drift(now, manifest(*MANY), config())
    assert "most of it from cross, 0.0 % here and 33.3 % there" in first
    other = manifest(*MANY, classes=("disc", "bar", "cross"))
    assert not list(find_label_drift(other, manifest(*MANY), config()))


def test_what_chance_does_to_few_examples_is_not_told():
    few = manifest((8, 4, 4), (2, 2, 2), (2, 2, 2), brightness=(9, 3))
    before = manifest((5, 5, 5), (2, 2, 2), (2, 2, 2), brightness=(6, 6))
    assert not list(find_label_drift(few, before, config()))
    assert not list(find_trait_drift(few, before, config()))


def test_a_trait_is_compared_where_its_distributions_differ_most():
    now, before = manifest(brightness=(900, 100)), manifest(brightness=(300, 700))
    (message,) = find_trait_drift(now, before, config())
    assert message == (
        "Kolmogorov-Smirnov is 0.6 (threshold 0.1) between the brightness of pictures in this "
        "data set and in the blessed model's data set: 90.0 % here and 30.0 % there are below 128"
    )
    assert not list(find_trait_drift(now, before, config(max_trait_kolmogorov_smirnov=0.61)))


def test_traits_that_were_counted_in_other_bins_are_not_compared():
    now, before = manifest(brightness=(900, 100)), manifest(brightness=(300, 700))
    (trait,) = before.traits
    others = trait.model_copy(update={"edges": (127.0,)}), trait.model_copy(update={"name": "x"})
    for traits in ((), *((other,) for other in others)):
        assert not list(
            find_trait_drift(now, before.model_copy(update={"traits": traits}), config())
        )


def test_the_test_split_is_compared_with_the_training_one():
    brightness = {"train": (9, 91), "validation": (50, 50), "test": (91, 9)}
    skewed = manifest((900, 900, 900), test=(90, 10, 200)).model_copy(
        update={"traits": (brightness_trait(brightness),)}
    )
    infinity, bits = find_label_skew(skewed, config())
    assert infinity.startswith("L-infinity is 0.333 (threshold 0.1) between the class shares of")
    assert "of the test split and of the training split: most of it from disc" in infinity
    (message,) = find_trait_skew(skewed, config())
    assert "91.0 % here and 9.0 % there are below 128" in message
    assert {finding.check for finding in check(skewed)} >= {"label_skew", "trait_skew"}
    assert not check(manifest(*MANY))


@pytest.mark.parametrize("split", SPLITS)
def test_an_empty_split_is_compared_with_nothing(split):
    empty = manifest(**{split: (0, 0, 0)})
    empty = empty.model_copy(
        update={"traits": (brightness_trait({**dict.fromkeys(SPLITS, (900, 100)), split: (0, 0)}),)}
    )
    assert not list(find_label_skew(empty, config()))
    assert not list(find_trait_skew(empty, config()))
