"""The pictures from which int8 takes its activation ranges.

The classes take turns, in the order of the shards, so that few pictures still show every
class and any prefix is balanced. The manifest's counts say how many of each are wanted: no
others are held, and nothing is read once they are found. Together the pictures must span
[0, 255], or the input's own quantization would clip what a device may feed; where they do
not, two corner pixels of the first picture are set: the fewest windows of a convolution see
a corner.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, zip_longest

import numpy as np
import numpy.typing as npt

from components.common.documents.dataset import DatasetManifest
from components.common.lite.litert import INPUT
from components.common.process.events import Events
from components.common.storage import Storage
from components.common.tasks.image.device import device_input
from components.common.tasks.image.examples import read_examples
from components.common.tasks.image.features import Example


def read_calibration(
    manifest: DatasetManifest, storage: Storage, *, count: int, events: Events
) -> npt.NDArray[np.uint8]:
    """Reads pictures of the training split to calibrate on.

    Args:
      manifest: the data set.
      storage: where its shards lie.
      count: how many pictures; all, where there are fewer.
      events: is told of the progress.

    Returns:
      uint8 [n, height, width, channels], spanning [0, 255].

    Raises:
      UserError: a shard is missing or damaged.
    """
    chosen = choose_examples(
        read_examples(manifest, "train", storage),
        manifest.splits["train"].examples_per_class,
        count,
    )
    see = device_input(manifest.image)
    return span_range(np.stack([*map(see, events.track(chosen, "calibration pictures"))]))


def choose_examples(
    examples: Iterable[Example], examples_per_class: Sequence[int], count: int
) -> list[Example]:
    """Returns the first `count` examples when the classes take turns.

    Args:
      examples: read until those that are chosen are found.
      examples_per_class: how many there are, by label.
      count: how many to choose; all, where there are fewer.
    """
    wanted = share_out(count, examples_per_class)
    missing = sum(wanted)
    by_class: list[list[Example]] = [[] for _ in wanted]
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


def span_range(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Returns the pictures, changed in two pixels at most, spanning [0, 255].

    Args:
      pictures: uint8 [n, height, width, channels], n at least 1.
    """
    spanning = pictures.copy()
    if spanning.min() > 0:
        spanning[0, 0, 0] = 0
    if spanning.max() < 255:
        spanning[0, -1, -1] = 255
    return spanning


def representative_dataset(
    pictures: npt.NDArray[np.uint8],
) -> Iterator[dict[str, npt.NDArray[np.float32]]]:
    """Yields one picture after the other, as TFLite's converter asks for them."""
    for picture in pictures:
        yield {INPUT: picture[np.newaxis].astype(np.float32)}
