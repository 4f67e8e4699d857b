"""Lists Fashion-MNIST as a labelled data set, with its official test split.

    apt-get install dataset-fashion-mnist
    python tests/examples/fashion.py /usr/share/datasets/fashion-mnist fashion
    litesmith run fashion --set data.list=fashion/fashion.csv

70,000 grey pictures of 28x28 in 10 classes (H. Xiao, K. Rasul, R. Vollgraf, 2017; MIT). Each
becomes a PNG file beside the list. Every twentieth picture of the official training split is
for validation.
"""

import argparse
import csv
import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

CLASSES = (
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)

VALIDATION_EVERY = 20


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """Returns the array of bytes that a gzipped IDX file holds.

    Format: http://yann.lecun.com/exdb/mnist: two zeros, the type (8: unsigned bytes), the number
    of dimensions, each dimension as a big-endian int32, the values.
    """
    content = gzip.decompress(path.read_bytes())
    if content[:3] != b"\0\0\x08":
        raise SystemExit(f"{path} is no IDX file of bytes")
    rank = content[3]
    shape = np.frombuffer(content, ">i4", rank, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


def write_pictures(source: Path, folder: Path) -> Iterator[dict[str, str]]:
    """Writes each picture to the folder; yields its path, from there, its label and its split."""
    for part, name in (("train", "train"), ("test", "t10k")):
        pictures = read_idx(source / f"{name}-images-idx3-ubyte.gz")
        labels = read_idx(source / f"{name}-labels-idx1-ubyte.gz")
        (folder / part).mkdir(parents=True, exist_ok=True)
        for number, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
            path = f"{part}/{number:05}.png"
            Image.fromarray(picture).save(folder / path)
            held_out = part == "train" and number % VALIDATION_EVERY == 0
            yield {
                "path": path,
                "label": CLASSES[label],
                "split": "validation" if held_out else part,
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path, help="the folder of the four .gz files")
    parser.add_argument("folder", type=Path, help="where pictures and fashion.csv are written")
    arguments = parser.parse_args()
    rows = list(write_pictures(arguments.source, arguments.folder))
    with (arguments.folder / "fashion.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
