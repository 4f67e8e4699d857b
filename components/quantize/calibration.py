"""The pictures from which int8 takes its activation ranges.

The classes take turns, in the order of the shards, so that few pictures still show every
class and any prefix is balanced. Together the pictures must span [0, 255], or the input's
own quantization would clip what a device may feed; where they do not, two corner pixels
of the first picture are set: the fewest windows of a convolution see a corner.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, islice, zip_longest

import numpy as np
import numpy.typing as npt

from components.common.examples import Example


def choose_examples(examples: Iterable[Example], count: int) -> list[Example]:
    """Returns the first `count` examples when the classes take turns."""
    by_class: dict[int, list[Example]] = {}
    for example in examples:
        members = by_class.setdefault(example.label, [])
        if len(members) < count:
            members.append(example)
    turns = chain.from_iterable(zip_longest(*(by_class[label] for label in sorted(by_class))))
    return list(islice((example for example in turns if example is not None), count))


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
        yield {"image": picture[np.newaxis].astype(np.float32)}
