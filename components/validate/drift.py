"""How far a data set has moved from the blessed model's, and its test split from its training one.

The first is drift, the second skew; both are measured by the same statistics. A distance is told
where it is above its threshold and above what chance gives samples of these sizes. As in
components.validate.checks, each check yields what it noticed, in words.
"""

from collections.abc import Iterator

from components.common.documents.dataset import SPLITS, DatasetManifest
from components.common.statistics.distances import (
    Distance,
    jensen_shannon,
    kolmogorov_smirnov,
    l_infinity,
)
from components.common.tasks.sources import sources_of
from components.common.words.figures import percent
from components.validate.config import ValidateConfig
from components.validate.portions import Portion


def find_label_drift(
    manifest: DatasetManifest, blessed: DatasetManifest, config: ValidateConfig
) -> Iterator[str]:
    """Yields a message for each statistic by which the class shares are not the blessed model's."""
    return _compare_labels(*_with_blessed(manifest, blessed), config)


def find_trait_drift(
    manifest: DatasetManifest, blessed: DatasetManifest, config: ValidateConfig
) -> Iterator[str]:
    """Yields a message for each trait that is distributed unlike the blessed model's."""
    return _compare_traits(*_with_blessed(manifest, blessed), config)


def find_label_skew(manifest: DatasetManifest, config: ValidateConfig) -> Iterator[str]:
    """Yields a message for each statistic by which test's class shares are not training's."""
    return _compare_labels(*_splits_of(manifest), config)


def find_trait_skew(manifest: DatasetManifest, config: ValidateConfig) -> Iterator[str]:
    """Yields a message for each trait that is distributed unlike in training."""
    return _compare_traits(*_splits_of(manifest), config)


def _with_blessed(manifest: DatasetManifest, blessed: DatasetManifest) -> tuple[Portion, Portion]:
    return (
        Portion("this data set", manifest, SPLITS),
        Portion("the blessed model's data set", blessed, SPLITS),
    )


def _splits_of(manifest: DatasetManifest) -> tuple[Portion, Portion]:
    return (
        Portion("the test split", manifest, ("test",)),
        Portion("the training split", manifest, ("train",)),
    )


def _compare_labels(now: Portion, before: Portion, config: ValidateConfig) -> Iterator[str]:
    first, second = now.labels(), before.labels()
    names = sorted({*first, *second})
    counts = [first.get(name, 0) for name in names], [second.get(name, 0) for name in names]
    if not all(map(sum, counts)):
        return
    for distance, threshold in (
        (l_infinity(*counts), config.max_label_l_infinity),
        (jensen_shannon(*counts), config.max_label_jensen_shannon),
    ):
        if _counts(distance, threshold):
            one, other = (own[distance.at] / sum(own) for own in counts)
            yield (
                f"{_measured(distance, threshold)} between the class shares of {now.name} and of "
                f"{before.name}: most of it from {names[distance.at]}, {percent(one)} here and "
                f"{percent(other)} there"
            )


def _compare_traits(now: Portion, before: Portion, config: ValidateConfig) -> Iterator[str]:
    theirs, threshold = before.traits(), config.max_trait_kolmogorov_smirnov
    examples = sources_of(now.manifest.task).EXAMPLES
    for name, trait in now.traits().items():
        other = theirs.get(name)
        if other is None or other.edges != trait.edges:
            continue  # Another version counted it in other bins.
        counts = now.bins(trait), before.bins(other)
        if not all(map(sum, counts)):
            continue
        distance = kolmogorov_smirnov(*counts)
        if _counts(distance, threshold):
            below = [sum(own[: distance.at + 1]) / sum(own) for own in counts]
            yield (
                f"{_measured(distance, threshold)} between the {name} of {examples} in {now.name} "
                f"and in {before.name}: {percent(below[0])} here and {percent(below[1])} there are "
                f"below {trait.edges[distance.at]:g}"
            )


def _counts(distance: Distance, threshold: float) -> bool:
    return distance.value > max(threshold, distance.chance)


def _measured(distance: Distance, threshold: float) -> str:
    return f"{distance.statistic} is {distance.value:.3g} (threshold {threshold:g})"
