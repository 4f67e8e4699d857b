"""Examples that are made up, for a model that is only tried."""

import csv
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.common.documents.dataset import Split

_WORDS = 8
"""Of a text."""


def draw_examples(list_file: Path, per_class: Mapping[Split, int], *, like: Any) -> None:
    """Writes random words in two classes, as `data.list` reads them.

    Args:
      list_file: where the list goes.
      per_class: how many texts of each class a split has.
      like: what the recipe says of its data; any texts will do.
    """
    chance = random.Random(0)
    with list_file.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label", "split"])
        for split, count in per_class.items():
            for number in range(2 * count):
                words = (f"{chance.randrange(10**6):x}" for _ in range(_WORDS))
                rows.writerow([" ".join(words), "ab"[number % 2], split])
