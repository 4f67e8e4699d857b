"""Predictions of a `.tflite` for many pictures, on several threads.

Each thread has an interpreter of its own, at one thread and one picture, and takes the
next example when it is free. So every prediction is computed exactly as a device would,
whatever the number of threads.
"""

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.common.data.predictions import Predictions, make_predictions
from components.common.lite.litert import Classifier
from components.common.tasks.image.device import decode_picture
from components.common.tasks.image.features import Example


def predict_examples(
    model: Path, examples: Iterable[Example], *, channels: int, threads: int
) -> Predictions:
    """Classifies examples, in their order.

    Args:
      model: the `.tflite` file.
      examples: read one at a time, so that only a few pictures are in memory.
      channels: of the pictures: 1 or 3.
      threads: how many interpreters to run at once.

    Raises:
      LiteRTError: the model cannot be loaded or run.
    """
    source, lock = iter(examples), threading.Lock()
    known: list[tuple[str, int, str]] = []
    results: dict[int, npt.NDArray[np.float32]] = {}

    def take() -> tuple[int, bytes] | None:
        with lock:
            example = next(source, None)
            if example is None:
                return None
            known.append((example.id, example.label, example.slice))
            return len(known) - 1, example.image

    def work() -> None:
        classifier = Classifier(model)
        while item := take():
            position, image = item
            results[position] = classifier.classify(decode_picture(image, channels=channels))

    with ThreadPoolExecutor(threads) as pool:
        for future in [pool.submit(work) for _ in range(threads)]:
            future.result()
    ids, labels, slices = zip(*known, strict=True)
    rows = np.stack([results[position] for position in range(len(known))])
    return make_predictions(ids, labels, rows, slices)
