"""Which examples a report shows: few, and no more are read."""

from collections.abc import Iterator

from components.common.tasks.image.features import Example
from components.common.tasks.showing import pick_by_class, pick_by_id


def test_picking_stops_reading_when_there_are_enough() -> None:
    read = []

    def examples() -> Iterator[Example]:
        for number in range(1000):
            read.append(number)
            yield Example(str(number), b"%d" % number, number % 3)

    picked = pick_by_class(examples(), class_count=3, per_class=2)
    ids = {label: [example.id for example in own] for label, own in picked.items()}
    assert ids == {0: ["0", "3"], 1: ["1", "4"], 2: ["2", "5"]}
    assert len(read) == 7


def test_examples_are_found_by_id() -> None:
    examples = [Example(name, name.encode(), 0) for name in "abc"]
    assert pick_by_id(examples, frozenset("bx")) == {"b": examples[1]}
