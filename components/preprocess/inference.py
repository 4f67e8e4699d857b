"""A schema as a source's examples suggest it, to be looked over by a person and named by a recipe.

Classes, and what is said in words, are those that there are. Numbers that are the same throughout,
as of one camera, are to stay so; others may go twice as far in either direction, for tomorrow's
longest text is longer than today's.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator

from components.common.documents.data_schema import DataSchema, Range
from components.common.errors import UserError
from components.common.tasks.glimpses import glimpses_of
from components.common.tasks.made import Unusable
from components.common.tasks.told import Description
from components.preprocess.config import PreprocessConfig
from components.preprocess.inspection import list_examples
from components.preprocess.inventory import Inventory
from components.preprocess.sources import SourceReader

_SLACK = 2.0


def infer_schema(
    config: PreprocessConfig, *, report: Callable[[int, int], None] = lambda done, total: None
) -> DataSchema:
    """Opens all examples of a source, and says what they have in common.

    Args:
      config: says where it is.
      report: called with the number of files read, and of all.

    Raises:
      UserError: a run would refuse the source, or none of its examples can be opened.
    """
    inventory = list_examples(config, report=report)
    words: dict[str, set[str]] = defaultdict(set)
    numbers: dict[str, list[float]] = defaultdict(list)
    labels = set()
    for label, found in _describe(config, inventory, report):
        labels.add(label)
        for name, word in found.values.items():
            words[name].add(word)
        for name, number in found.numbers.items():
            least, most = numbers[name] or (number, number)
            numbers[name] = [min(least, number), max(most, number)]
    if not labels:
        raise UserError(f"{inventory.listing.root}: no example can be opened, to infer from")
    return DataSchema(
        classes=tuple(inventory.listing.class_names[label] for label in sorted(labels)),
        values={name: tuple(sorted(found)) for name, found in words.items()},
        ranges={name: _widen(found) for name, found in numbers.items()},
    )


def _describe(
    config: PreprocessConfig, inventory: Inventory, report: Callable[[int, int], None]
) -> Iterator[tuple[int, Description]]:
    """Yields label and description of what a run won't reject."""
    read = SourceReader(inventory.listing.root, at_most=config.examples.max_file_bytes)
    describe = glimpses_of(config.task).describe
    for number, example in enumerate(inventory.examples, 1):
        try:
            yield example.label, describe(read(example), config.examples)
        except Unusable:
            continue
        finally:
            report(number, len(inventory.examples))


def _widen(ends: Collection[float]) -> Range:
    least, most = ends
    if least == most:
        return Range(least=least, most=most)
    return Range(least=math.floor(least / _SLACK), most=math.ceil(most * _SLACK))
