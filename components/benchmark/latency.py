"""Latency of several models, so that their figures compare.

All models are loaded in one process and take turns: a round runs each once, in a shuffled
order, on the same example. What else the machine does then hits all of them alike: on a
busy one, four measurements of MobileNetV2's float32 over int8 gave 1.8 to 2.1 this way,
and 1.2 to 2.1 one model after the other.
"""

import contextlib
import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.documents.benchmark import Latency
from components.common.lite.litert import Classifier

FEWEST_RUNS = 20
"""Below it a p90 means nothing; time limits give way to it."""


def measure_latencies(
    models: Mapping[str, Path],
    inputs: Sequence[npt.NDArray[Any]],
    *,
    threads: int,
    runs: int,
    warmup_runs: int,
    max_seconds: float,
    on_round: Callable[[int], None] = lambda _: None,
) -> dict[str, Latency]:
    """Times single inferences: the model alone, without loading its input.

    Args:
      models: name -> `.tflite` file.
      inputs: what a device would feed, of one example each; taken in turn.
      threads: of each inference.
      runs: timed inferences of each model.
      warmup_runs: of each model, before the timed ones.
      max_seconds: for all models together; a quarter of it ends the warm-up, the whole of
        it the timed runs, once each model has had FEWEST_RUNS.
      on_round: told how many timed rounds are done.

    Raises:
      LiteRTError: a model cannot be loaded or run.
    """
    classifiers = {name: Classifier(path, threads=threads) for name, path in models.items()}
    samples: dict[str, list[int]] = {name: [] for name in models}
    random = np.random.default_rng(0)
    started = time.monotonic()
    with _no_garbage_collection():
        for done in range(warmup_runs):
            _run_round(classifiers, inputs[done % len(inputs)], random)
            if time.monotonic() - started > max_seconds / 4:
                break
        for done in range(1, runs + 1):
            durations = _run_round(classifiers, inputs[done % len(inputs)], random)
            for name, duration in durations.items():
                samples[name].append(duration)
            on_round(done)
            if done >= FEWEST_RUNS and time.monotonic() - started > max_seconds:
                break
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


def _run_round(
    classifiers: Mapping[str, Classifier],
    features: npt.NDArray[Any],
    random: np.random.Generator,
) -> dict[str, int]:
    """Runs each model once, in a random order; returns the durations in nanoseconds."""
    # Shuffled in every round: in a fixed order each model would always run behind the same
    # other one, with the caches and the clock rate that this one leaves.
    order = random.permutation(list(classifiers))
    return {name: _time_inference(classifiers[name], features) for name in order}


def _time_inference(classifier: Classifier, features: npt.NDArray[Any]) -> int:
    classifier.load(features)
    started = time.perf_counter_ns()
    classifier.invoke()
    return time.perf_counter_ns() - started


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
