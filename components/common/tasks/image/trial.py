"""Examples that are made up, for a model that is only tried."""

import csv
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from components.common.documents.dataset import Split
from components.common.tasks.image.preparation.settings import PictureSettings

_DEVIATION = 64
"""Of the noise's intensities, around the middle."""


def draw_examples(
    list_file: Path, per_class: Mapping[Split, int], *, like: PictureSettings
) -> None:
    """Writes noise in two classes, and beside it the list that names it, as `data.list` reads it.

    Args:
      list_file: where the list goes.
      per_class: how many pictures of each class a split has.
      like: says how large pictures are to be.
    """
    size = (like.image_size, like.image_size)
    with list_file.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "split"])
        for split, count in per_class.items():
            for number in range(2 * count):
                name = f"{split}{number}.png"
                noise = Image.effect_noise(size, _DEVIATION).convert("RGB")
                noise.save(list_file.parent / name)
                rows.writerow([name, "ab"[number % 2], split])
