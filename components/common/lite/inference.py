"""Predictions of a `.tflite` for many examples, on several threads.

Each thread has an interpreter of its own, at one thread and one example, and takes the
next example when it is free. So every prediction is computed exactly as a device would,
whatever the number of threads.
"""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from components.common.data.examples import Labelled
from components.common.data.predictions import Predictions, make_predictions
from components.common.lite.litert import Classifier

AnyExample = TypeVar("AnyExample", bound=Labelled)


def predict_examples(
    model: Path,
    examples: Iterable[AnyExample],
    *,
    see: Callable[[AnyExample], npt.NDArray[Any]],
    threads: int,
    classify: Callable[
        [Classifier, npt.NDArray[Any]], npt.NDArray[np.float32]
    ] = Classifier.classify,
) -> Predictions:
    """Classifies examples, in their order.

    Args:
      model: the `.tflite` file.
      examples: read one at a time, so that only a few are in memory.
      see: returns what a device would feed the model of an example.
      threads: how many interpreters to run at once.
      classify: returns the class probabilities, float32 [classes], of what was seen.

    Raises:
      LiteRTError: the model cannot be loaded or run.
    """
    source, lock = iter(examples), threading.Lock()
    known: list[tuple[str, int, str]] = []
    results: dict[int, npt.NDArray[np.float32]] = {}

    def take() -> tuple[int, AnyExample] | None:
        with lock:
            example = next(source, None)
            if example is None:
                return None
            known.append((example.id, example.label, example.slice))
            return len(known) - 1, example

    def work() -> None:
        classifier = Classifier(model)
        while item := take():
            position, example = item
            results[position] = classify(classifier, see(example))

    with ThreadPoolExecutor(threads) as pool:
        for future in [pool.submit(work) for _ in range(threads)]:
            future.result()
    ids, labels, slices = zip(*known, strict=True)
    rows = np.stack([results[position] for position in range(len(known))])
    return make_predictions(ids, labels, rows, slices)
