"""The facet by which a report tells of a data set, and shows examples."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from components.common.data.examples import Labelled
from components.common.documents.dataset import DatasetManifest, TaskName
from components.common.tasks.told import DataTold, Shown

CLASSES = 40
"""More classes are not illustrated."""
EXAMPLES = 240
"""Of all classes together."""
SEARCHED_EXAMPLES = 4000
"""A class that does not show up among these stays without examples."""

AnyExample = TypeVar("AnyExample", bound=Labelled)


class Showing(Protocol):
    """What the facet of a task looks like; a `spec` is the task's own ExampleSpec."""

    def tell_data(self, spec: Any, statistics: Any, /) -> DataTold:
        """Returns what there is to tell of a data set."""

    def show_example(self, example: Any, spec: Any, /, *, large: bool) -> Shown:
        """Returns an example as a page shows it.

        Args:
          example: as `reading` decodes it.
          spec: how it lies in the shards.
          large: whether it stands for itself; else it is one of many.
        """


def tell_data(manifest: DatasetManifest) -> DataTold:
    """Returns what there is to tell of a data set."""
    return _TASKS[manifest.task]().tell_data(manifest.spec, manifest.statistics)


def show_example(example: Labelled, manifest: DatasetManifest, *, large: bool) -> Shown:
    """Returns an example as a page shows it; see `Showing`."""
    return _TASKS[manifest.task]().show_example(example, manifest.spec, large=large)


def pick_by_class(
    examples: Iterable[AnyExample], *, class_count: int, per_class: int
) -> dict[int, list[AnyExample]]:
    """Picks the first few examples of each class; stops reading as soon as it has them.

    Args:
      examples: of one split.
      class_count: how many classes there are; only the first few are illustrated.
      per_class: how many examples of each to pick.

    Returns:
      label -> examples.
    """
    classes = min(class_count, CLASSES)
    per_class = min(per_class, EXAMPLES // max(1, classes))
    picked: dict[int, list[AnyExample]] = {label: [] for label in range(classes)}
    missing = classes * per_class
    for number, example in enumerate(examples, start=1):
        if missing == 0 or number > SEARCHED_EXAMPLES:
            break
        own = picked.get(example.label)
        if own is not None and len(own) < per_class:
            own.append(example)
            missing -= 1
    return picked


def pick_by_id(examples: Iterable[AnyExample], ids: frozenset[str]) -> dict[str, AnyExample]:
    """Picks examples by id; stops reading as soon as it has them."""
    picked: dict[str, AnyExample] = {}
    if ids:
        for example in examples:
            if example.id in ids:
                picked[example.id] = example
                if len(picked) == len(ids):
                    break
    return picked


def _image() -> Showing:
    from components.common.tasks.image import showing

    return showing


def _text() -> Showing:
    from components.common.tasks.text import showing

    return showing


_TASKS: Mapping[TaskName, Callable[[], Showing]] = {"image": _image, "text": _text}
