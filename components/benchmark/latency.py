"""Latency of several models, so that their figures compare.

All models are loaded in one process and take turns: a round runs each once, in a shuffled
order, on the same picture. What else the machine does then hits all of them alike.
"""

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.common.documents import Latency
from components.common.litert import Classifier

FEWEST_RUNS = 20
"""Below it a p90 means nothing; time limits give way to it."""


def measure_latencies(
    models: Mapping[str, Path],
    pictures: Sequence[npt.NDArray[np.uint8]],
    *,
    threads: int,
    runs: int,
    warmup_runs: int,
    max_seconds: float,
    on_round: Callable[[int], None] = lambda _: None,
    seed: int = 0,
) -> dict[str, Latency]:
    """Times single inferences: the model alone, without loading the picture.

    Args:
      models: name -> `.tflite` file.
      pictures: uint8 [height, width, channels]; taken in turn.
      threads: of each inference.
      runs: timed inferences of each model.
      warmup_runs: of each model, before the timed ones.
      max_seconds: for all models together; reaching it ends the warm-up after one run of
        each, and the timed runs after FEWEST_RUNS of each.
      on_round: told how many timed rounds are done.
      seed: of the order in which models take turns.

    Raises:
      LiteRTError: a model cannot be loaded or run.
    """
    classifiers = {name: Classifier(path, threads=threads) for name, path in models.items()}
    samples: dict[str, list[int]] = {name: [] for name in models}
    random = np.random.default_rng(seed)
    deadline = time.monotonic() + max_seconds
    gc.collect()
    gc.disable()
    try:
        for round_ in range(-warmup_runs, runs):
            picture = pictures[round_ % len(pictures)]
            for name in random.permutation(list(models)):
                duration = _time_inference(classifiers[name], picture)
                if round_ >= 0:
                    samples[name].append(duration)
            on_round(max(0, round_ + 1))
            if round_ + 1 >= FEWEST_RUNS and time.monotonic() > deadline:
                break
    finally:
        gc.enable()
    return {name: summarize(durations, threads=threads) for name, durations in samples.items()}


def summarize(durations_ns: Sequence[int], *, threads: int) -> Latency:
    """Returns the percentiles of single inferences."""
    p50, p90, p99 = np.percentile(np.array(durations_ns) / 1e6, [50, 90, 99])
    return Latency(
        threads=threads,
        p50_ms=float(p50),
        p90_ms=float(p90),
        p99_ms=float(p99),
        runs=len(durations_ns),
    )


def _time_inference(classifier: Classifier, picture: npt.NDArray[np.uint8]) -> int:
    classifier.load_picture(picture)
    started = time.perf_counter_ns()
    classifier.invoke()
    return time.perf_counter_ns() - started
