"""Latency of several models, so that their figures compare.

All models are loaded in one process and take turns: a round runs each once, in a shuffled
order, on the same example. What else the machine does then hits all of them alike: on a
busy one, four measurements of MobileNetV2's float32 over int8 gave 1.8 to 2.1 this way,
and 1.2 to 2.1 one model after the other.

Where a model's memory comes to lie makes it a little faster or slower as long as it is loaded,
so all models are loaded anew several times (`components/common/statistics/ratios.py`).
"""

import contextlib
import gc
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

import numpy as np

from components.common.documents.benchmark import Latency
from components.common.statistics.ratios import Durations, ratio_of_medians

LOADS = 10
"""How often the models are loaded anew."""
FEWEST_RUNS = 2 * LOADS
"""Below it a p90 means nothing; time limits give way to it."""


class Loaded(Protocol):
    """A model in memory that can be run."""

    def take(self, turn: int) -> None:
        """Takes an input; equal turns mean the same example for all models."""

    def invoke(self) -> None:
        """Runs the model on it."""


def measure_latencies(
    models: Mapping[str, Callable[[], Loaded]],
    *,
    runs: int,
    warmup_runs: int,
    max_seconds: float,
    on_round: Callable[[int], None] = lambda _: None,
) -> dict[str, Durations]:
    """Times single inferences: the model alone, without loading its input.

    Args:
      models: name -> what loads it.
      runs: timed inferences of each model, rounded up to a multiple of LOADS.
      warmup_runs: of each model, before the timed ones, shared out among the loads.
      max_seconds: for all models together, about: the number of rounds that the first load has
        time for is that of all, but none has fewer than FEWEST_RUNS. A quarter of a load's
        time ends its warm-up.
      on_round: told how many timed rounds are done.

    Returns:
      For each model int64 [LOADS, rounds], in nanoseconds.

    Raises:
      LiteRTError: a model cannot be loaded or run.
    """
    random = np.random.default_rng(0)
    rounds, seconds = -(-runs // LOADS), max_seconds / LOADS
    samples: list[Durations] = []
    with _no_garbage_collection():
        for number in range(LOADS):
            loaded = {name: models[name]() for name in random.permutation(list(models))}
            started = time.monotonic()
            for turn in range(-(-warmup_runs // LOADS)):
                _run_round(loaded, turn, random)
                if time.monotonic() - started > seconds / 4:
                    break
            until = started + seconds if number == 0 else math.inf
            turns = range(number * rounds, (number + 1) * rounds)
            samples.append(_time_rounds(loaded, turns, random, until=until, on_round=on_round))
            rounds = len(samples[0])
            del loaded  # Before the next ones take as much memory again.
    by_model = np.stack(samples).transpose(2, 0, 1)
    return dict(zip(sorted(models), by_model, strict=True))


def summarize(durations: Durations, *, threads: int, reference: Durations | None = None) -> Latency:
    """Returns the percentiles of single inferences.

    Args:
      durations: int64 [loads, rounds], in nanoseconds.
      threads: of each inference.
      reference: those of the model that others are held against, if this is another one.
    """
    p50, p90, p99 = np.percentile(durations / 1e6, [50, 90, 99])
    return Latency(
        threads=threads,
        p50_ms=float(p50),
        p90_ms=float(p90),
        p99_ms=float(p99),
        runs=durations.size,
        ratio=None if reference is None else ratio_of_medians(durations, reference),
    )


def _time_rounds(
    models: Mapping[str, Loaded],
    turns: Iterable[int],
    random: np.random.Generator,
    *,
    until: float,
    on_round: Callable[[int], None],
) -> Durations:
    """Returns int64 [rounds, models], by name; of fewer rounds where the time comes before."""
    durations: list[list[int]] = []
    for turn in turns:
        durations.append(_run_round(models, turn, random))
        on_round(turn + 1)
        if len(durations) >= FEWEST_RUNS // LOADS and time.monotonic() > until:
            break
    return np.array(durations, np.int64)


def _run_round(models: Mapping[str, Loaded], turn: int, random: np.random.Generator) -> list[int]:
    """Runs each model once, in a random order; returns nanoseconds in the order of the names."""
    # Shuffled in every round: in a fixed order each model would always run behind the same
    # other one, with the caches and the clock rate that this one leaves.
    taken = {name: _time_inference(models[name], turn) for name in random.permutation(list(models))}
    return [taken[name] for name in sorted(taken)]


def _time_inference(model: Loaded, turn: int) -> int:
    model.take(turn)
    started = time.perf_counter_ns()
    model.invoke()
    return time.perf_counter_ns() - started


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
