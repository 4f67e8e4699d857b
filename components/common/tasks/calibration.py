"""The facet by which examples are chosen for a scheme to take its activation ranges from.

The classes take turns, in the order of the shards, so that few examples still show every class and
any prefix is balanced. The manifest's counts say how many of each are wanted: no others are held,
and nothing is read once they are found.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, islice, zip_longest
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from components.common.data.examples import Labelled
from components.common.documents.dataset import DatasetManifest, TaskName
from components.common.process.events import Events
from components.common.storage import Storage
from components.common.tasks.reading import device_input, read_examples

AnyExample = TypeVar("AnyExample", bound=Labelled)


class Calibration(Protocol):
    """What the facet of a task looks like."""

    CALIBRATED_ON: str
    """What is counted while they are read: `calibration pictures`."""

    def span_range(self, examples: npt.NDArray[Any], /) -> npt.NDArray[Any]:
        """Returns examples that reach as far as any that a device may feed."""


def read_calibration(
    manifest: DatasetManifest, storage: Storage, *, count: int, events: Events
) -> npt.NDArray[Any]:
    """Reads examples of the training split to calibrate on.

    Args:
      manifest: the data set.
      storage: where its shards lie.
      count: how many examples; all, where there are fewer.
      events: is told of the progress.

    Returns:
      [n, ...], as a device has them.

    Raises:
      UserError: a shard is missing or damaged.
    """
    own = _TASKS[manifest.task]()
    chosen = choose_examples(
        read_examples(manifest, "train", storage),
        manifest.splits["train"].examples_per_class,
        count,
    )
    see = device_input(manifest)
    return own.span_range(np.stack([*map(see, events.track(chosen, own.CALIBRATED_ON))]))


def choose_examples(
    examples: Iterable[AnyExample], examples_per_class: Sequence[int], count: int
) -> list[AnyExample]:
    """Returns the first `count` examples when the classes take turns.

    Args:
      examples: read until those that are chosen are found.
      examples_per_class: how many there are, by label.
      count: how many to choose; all, where there are fewer.
    """
    wanted = share_out(count, examples_per_class)
    missing = sum(wanted)
    by_class: list[list[AnyExample]] = [[] for _ in wanted]
    for example in examples:
        members = by_class[example.label]
        if len(members) < wanted[example.label]:
            members.append(example)
            missing -= 1
        if not missing:
            break
    turns = chain.from_iterable(zip_longest(*by_class))
    return [example for example in turns if example is not None]


def share_out(count: int, available: Sequence[int]) -> list[int]:
    """Returns how many each class gives to `count`: one in its turn, while it has any left."""
    turns = (
        label
        for turn in range(max(available, default=0))
        for label, examples in enumerate(available)
        if turn < examples
    )
    given = Counter(islice(turns, count))
    return [given[label] for label in range(len(available))]


def _image() -> Calibration:
    from components.common.tasks.image import calibration

    return calibration


def _text() -> Calibration:
    from components.common.tasks.text import calibration

    return calibration


_TASKS: Mapping[TaskName, Callable[[], Calibration]] = {"image": _image, "text": _text}
