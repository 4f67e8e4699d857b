"""The facet by which a manifest describes examples that were made by a plan; see `making`."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from components.common.documents.dataset import ExampleSpec, Statistics
from components.common.tasks.made import Counts
from components.common.tasks.making import Plan


class Describing(Protocol):
    """What the facet of a task looks like; a `plan` is the task's own."""

    def spec_of(self, plan: Any, /) -> ExampleSpec:
        """Returns how examples lie in the shards."""

    def files_of(self, plan: Any, /) -> Mapping[str, bytes]:
        """Returns what lies beside the manifest, for whoever reads examples: name -> content."""

    def describe(self, plan: Any, training: Counts, everything: Counts, /) -> Statistics:
        """Returns the statistics that the counts of the training and of all examples come to.

        Of no counts it returns statistics of nothing.
        """


def describing_of(plan: Plan) -> Describing:
    """Returns how the examples of a plan are described."""
    return _TASKS[plan.task]()


def describe(plan: Plan, training: Iterable[Counts], everything: Iterable[Counts]) -> Statistics:
    """Returns the statistics of a data set.

    Args:
      plan: what its examples became.
      training: what was counted of each shard of the training split.
      everything: of each shard there is.
    """
    return describing_of(plan).describe(plan, _add_up(training), _add_up(everything))


def _add_up(counts: Iterable[Counts]) -> Counts:
    found: dict[str, list[Sequence[int]]] = defaultdict(list)
    for own in counts:
        for name, numbers in own.items():
            found[name].append(numbers)
    return {name: [*map(sum, zip(*own, strict=True))] for name, own in found.items()}


def _image() -> Describing:
    from components.common.tasks.image import describing

    return describing


def _text() -> Describing:
    from components.common.tasks.text import describing

    return describing


_TASKS: Mapping[str, Callable[[], Describing]] = {"image": _image, "text": _text}
