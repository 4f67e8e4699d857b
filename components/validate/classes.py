"""What classes, by their counts and names, let a model learn and let the gate prove.

As in components.validate.checks, each check yields what it noticed, in words.
"""

import re
from collections.abc import Iterator

from components.common.documents.dataset import DatasetManifest, Split
from components.common.words.figures import shown
from components.validate.config import ValidateConfig

_MIRRORED = (
    ("left", "right"),
    ("lefthand", "righthand"),
    ("l", "r"),
    ("west", "east"),
    ("northwest", "northeast"),
    ("southwest", "southeast"),
    ("clockwise", "counterclockwise"),
    ("clockwise", "anticlockwise"),
    ("cw", "ccw"),
    ("b", "d"),
    ("p", "q"),
    ("←", "→"),
    ("↖", "↗"),
    ("↙", "↘"),
    ("<", ">"),
)
"""Words that name what a mirror turns into one another."""

_READ_ONE_WAY = frozenset("2345679BCDEFGJKLNPQRSZabcdefghjknpqrstyz")
"""Digits and letters that no longer are what they were when seen in a mirror."""


def find_small_test_classes(manifest: DatasetManifest, config: ValidateConfig) -> Iterator[str]:
    """Yields a message where classes have too few test examples for a recall to be proven."""
    needed = config.min_test_examples_per_class
    counts = _counts(manifest, "test")
    small = [f"{name} ({count})" for name, count in counts if 0 < count < needed]
    if small:
        yield (
            f"fewer than {needed} test examples of {shown(small)}: with fewer, no model could be "
            "shown to meet budgets.min_class_recall, were it right on all of them. Give more "
            "examples of the class, a greater share in data.splits.test, or a lower budget"
        )


def find_constant_test(manifest: DatasetManifest, config: ValidateConfig) -> Iterator[str]:
    """Yields a message where hardly anything in the test split is not of the largest class."""
    counts = _counts(manifest, "test")
    largest, count = max(counts, key=lambda pair: pair[1])
    others, needed = manifest.splits["test"].examples - count, config.min_other_test_examples
    if others < needed:
        yield (
            f"the test split has {others} examples of other classes than {largest}, and at least "
            f"{needed} are needed: with fewer, no model could be shown to be better than always "
            f"answering {largest}. Give more examples of the other classes, or a greater share in "
            "data.splits.test"
        )


def find_imbalance(manifest: DatasetManifest, config: ValidateConfig) -> Iterator[str]:
    """Yields a message where a class is rare in training, and counts for as little."""
    counts = [(name, count) for name, count in _counts(manifest, "train") if count]
    if config.balanced or not counts:
        return
    largest, most = max(counts, key=lambda pair: pair[1])
    rare = [f"{name} ({count})" for name, count in counts if most > config.max_imbalance * count]
    if rare:
        yield (
            f"{largest} has {most} training examples, more than {config.max_imbalance:g} times as "
            f"many as {shown(rare)}: a model may do well without knowing these. State "
            "train.class_weights: balanced, so that every class counts the same, or give more "
            "examples of them"
        )


def find_mirrored_classes(manifest: DatasetManifest, config: ValidateConfig) -> Iterator[str]:
    """Yields a message where training mirrors pictures and names tell left from right."""
    if not config.mirrored:
        return
    words = {name: name_words(name) for name in manifest.class_names}
    for first, second in _MIRRORED:
        one = [name for name, found in words.items() if first in found]
        other = [name for name, found in words.items() if second in found]
        if one and other:
            yield (
                f"train.augment.flip mirrors training pictures, so that one of {one[0]} looks "
                f"like one of {other[0]} and is learned under the wrong name: set "
                "train.augment.flip: false (and prune.augment.flip, where it is stated)"
            )
            return
    characters = [name for name in manifest.class_names if name in _READ_ONE_WAY]
    if len(characters) > 1:
        yield (
            f"train.augment.flip mirrors training pictures, and {shown(characters)} look like "
            "characters, which mean something else in a mirror, or nothing: set "
            "train.augment.flip: false, unless they are none"
        )


def name_words(name: str) -> frozenset[str]:
    """Returns the words of a class name, lower case: `TurnLeft_2` as turn, left, 2.

    Signs that are no letters count as words as well. `counter` and `anti` belong to the word
    that follows.
    """
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = re.findall(r"[^\W_]+|[^\w\s]", parted)
    joined = re.sub(r"\b(counter|anti)[\s-]+(?=clockwise)", r"\1", " ".join(words).lower())
    return frozenset(joined.split())


def _counts(manifest: DatasetManifest, split: Split) -> list[tuple[str, int]]:
    per_class = manifest.splits[split].examples_per_class
    return list(zip(manifest.class_names, per_class, strict=True))
