"""What `snap` saves of an int8 classifier's zip at each number of bits, and costs in answers.

The pictures lie in one folder per class. Some of them say how to round, and are never asked; their
labels are not looked at. `departs` is the mean Kullback-Leibler divergence of the answers from
those of the file before: it tells two grids apart where the number of lost answers can't.

    python -m tests.benchmarks.snap MODEL.tflite PICTURES --examples 100
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from components.common.lite.file_steps.share import share_equal_parts
from components.common.lite.packing import deflated_bytes
from components.common.lite.snapping import snap_weights
from components.common.tasks.image.normalization import Normalization
from components.tools.classifiers import PictureClassifier
from components.tools.pictures import list_pictures, read_picture

_FLOOR = 1e-3  # Of a probability: the integer softmax has 256 levels.


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--bits", default="7,6,5,4,3")
    parser.add_argument("--examples", type=int, default=100)
    arguments = parser.parse_args()
    data = arguments.model.read_bytes()
    pictures = list_pictures(arguments.pictures, None)
    order = np.random.default_rng(0).permutation(len(pictures))
    learned, asked = (
        [pictures[at] for at in part]
        for part in (order[: arguments.examples], order[arguments.examples :])
    )
    classifier = PictureClassifier(arguments.model, fit=None, normalization=Normalization())
    examples = np.stack([classifier.see(read_picture(each.path)) for each in learned])
    labels = sorted({picture.label for picture in pictures})
    truth = np.array([labels.index(picture.label) for picture in asked])
    before = answer(data, asked)
    print(describe("as it is", data, before, before, truth), flush=True)
    for bits in map(int, arguments.bits.split(",")):
        started = time.perf_counter()
        snapped = share_equal_parts(snap_weights(data, examples, bits=bits))
        seconds = time.perf_counter() - started
        line = describe(f"{bits} bits", snapped, answer(snapped, asked), before, truth)
        print(f"{line}, {seconds:.1f} s", flush=True)


def answer(data: bytes, pictures: Any) -> Any:
    """Returns the scores of pictures: [n, classes]."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.tflite")
        path.write_bytes(data)
        classifier = PictureClassifier(path, fit=None, normalization=Normalization())
        return np.stack([classifier.classify(read_picture(each.path)) for each in pictures])


def describe(name: str, data: bytes, scores: Any, before: Any, truth: Any) -> str:
    right, was_right = (each.argmax(axis=1) == truth for each in (scores, before))
    ratio = np.log((before + _FLOOR) / (scores + _FLOOR))
    return (
        f"{name}: raw {len(data):,}, zip {deflated_bytes(data):,}, accuracy {right.mean():.4f} of "
        f"{len(truth)}, lost {(was_right & ~right).sum()}, won {(right & ~was_right).sum()}, "
        f"agrees {(scores.argmax(axis=1) == before.argmax(axis=1)).mean():.3f}, "
        f"departs {(before * ratio).sum(axis=1).mean():.4f}"
    )


if __name__ == "__main__":
    main()
