"""Latencies of real models, taking turns."""

import itertools
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from components.benchmark.candidates import FedCandidate
from components.common.lite.latency import (
    FEWEST_RUNS,
    LOADS,
    Loaded,
    measure_latencies,
    summarize,
)
from components.common.lite.litert import LiteRTError

PICTURES = [np.full((16, 16, 1), value, np.uint8) for value in (0, 128, 255)]
Loaders = dict[str, Callable[[], Loaded]]


def loader(model: Path) -> Callable[[], Loaded]:
    return partial(FedCandidate, model, PICTURES, threads=1)


@pytest.fixture
def models(candidates: dict[str, Path]) -> Loaders:
    return {id_: loader(candidates[id_] / "model.tflite") for id_ in ("float32", "int8")}


def test_percentiles_are_in_milliseconds() -> None:
    durations = np.array([[n * 1_000_000 for n in range(1, 102)]])
    latency = summarize(durations, threads=2)
    assert (latency.threads, latency.runs, latency.ratio) == (2, 101, None)
    assert (latency.p50_ms, latency.p90_ms, latency.p99_ms) == pytest.approx((51, 91, 100))


def test_every_model_is_run_as_often_as_asked(models: Loaders) -> None:
    rounds: list[int] = []
    latencies = measure_latencies(
        models, runs=50, warmup_runs=2, max_seconds=60, on_round=rounds.append
    )
    assert {name: own.shape for name, own in latencies.items()} == {
        "float32": (LOADS, 5),
        "int8": (LOADS, 5),
    }
    assert all((own > 0).all() for own in latencies.values())
    assert rounds == list(range(1, 51))


def test_models_take_turns_in_an_order_of_its_own_each_round_and_are_loaded_anew() -> None:
    turns: list[tuple[str, int]] = []
    loads: list[str] = []

    class Watched:
        def __init__(self, name: str, seconds: float) -> None:
            loads.append(name)
            self.name, self.seconds, self.turn = name, seconds, -1

        def take(self, turn: int) -> None:
            self.turn = turn

        def invoke(self) -> None:
            turns.append((self.name, self.turn))
            time.sleep(self.seconds)

    models: Loaders = {"b": partial(Watched, "b", 0.002), "a": partial(Watched, "a", 0.0)}
    latencies = measure_latencies(models, runs=40, warmup_runs=LOADS, max_seconds=60)
    assert (latencies["b"] >= 2_000_000).all(), "each name has its own model's durations"
    assert np.median(latencies["a"]) < 1_000_000
    assert loads.count("a") == loads.count("b") == LOADS
    assert 0 < sum(first == "a" for first in loads[::2]) < LOADS, "whoever is loaded first"
    per_load = 2 * (1 + 40 // LOADS)
    timed = [turn for at, turn in enumerate(turns) if at % per_load >= 2]
    rounds = list(zip(timed[::2], timed[1::2], strict=True))
    assert [{one[1], other[1]} for one, other in rounds] == [{turn} for turn in range(40)]
    assert all({one[0], other[0]} == {"a", "b"} for one, other in rounds)
    firsts = [first for (first, _), _ in rounds]
    assert all(8 < firsts.count(name) < 32 for name in models)
    alternating = sum(one != other for one, other in itertools.pairwise(firsts))
    assert 8 < alternating < 32, "an order that repeats would favour some model"


def test_time_runs_out_but_twenty_runs_are_made(models: Loaders) -> None:
    started = time.monotonic()
    latencies = measure_latencies(models, runs=100_000, warmup_runs=10_000, max_seconds=0)
    assert {own.size for own in latencies.values()} == {FEWEST_RUNS}
    assert time.monotonic() - started < 10


def test_a_model_that_cannot_be_loaded_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"no model")
    with pytest.raises(LiteRTError, match="cannot load"):
        measure_latencies(
            {"x": loader(tmp_path / "model.tflite")}, runs=20, warmup_runs=1, max_seconds=1
        )
