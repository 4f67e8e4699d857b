"""Latencies of real models, taking turns."""

import itertools
import time
from pathlib import Path

import numpy as np
import pytest

from components.benchmark import latency
from components.benchmark.latency import FEWEST_RUNS, measure_latencies, summarize
from components.common.lite.litert import Classifier, LiteRTError

PICTURES = [np.full((16, 16, 1), value, np.uint8) for value in (0, 128, 255)]


@pytest.fixture
def models(candidates: dict[str, Path]) -> dict[str, Path]:
    return {id_: candidates[id_] / "model.tflite" for id_ in ("float32", "int8")}


def test_percentiles_are_in_milliseconds() -> None:
    latency = summarize([n * 1_000_000 for n in range(1, 102)], threads=2)
    assert (latency.threads, latency.runs) == (2, 101)
    assert (latency.p50_ms, latency.p90_ms, latency.p99_ms) == pytest.approx((51, 91, 100))


def test_every_model_is_run_as_often_as_asked(models: dict[str, Path]) -> None:
    rounds: list[int] = []
    latencies = measure_latencies(
        models, PICTURES, threads=1, runs=50, warmup_runs=2, max_seconds=60, on_round=rounds.append
    )
    assert list(latencies) == ["float32", "int8"]
    assert {latency.runs for latency in latencies.values()} == {50}
    assert all(0 < latency.p50_ms <= latency.p90_ms <= latency.p99_ms
               for latency in latencies.values())  # fmt: skip
    assert rounds == list(range(1, 51))


def test_models_take_turns_in_an_order_of_its_own_each_round(
    models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[Path] = []

    class Watched(Classifier):
        def __init__(self, path: Path, *, threads: int) -> None:
            super().__init__(path, threads=threads)
            self.path = path

        def invoke(self) -> None:
            turns.append(self.path)
            super().invoke()

    monkeypatch.setattr(latency, "Classifier", Watched)
    measure_latencies(models, PICTURES, threads=1, runs=40, warmup_runs=1, max_seconds=60)
    timed = turns[len(models) :]
    rounds = list(zip(timed[::2], timed[1::2], strict=True))
    assert all(set(order) == set(models.values()) for order in rounds)
    firsts = [first for first, _ in rounds]
    assert all(8 < firsts.count(path) < 32 for path in models.values())
    alternating = sum(one != other for one, other in itertools.pairwise(firsts))
    assert 8 < alternating < 32, "an order that repeats would favour some model"


def test_time_runs_out_but_twenty_runs_are_made(models: dict[str, Path]) -> None:
    started = time.monotonic()
    latencies = measure_latencies(
        models, PICTURES, threads=1, runs=100_000, warmup_runs=10_000, max_seconds=0
    )
    assert {latency.runs for latency in latencies.values()} == {FEWEST_RUNS}
    assert time.monotonic() - started < 10


def test_a_model_that_cannot_be_loaded_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"no model")
    with pytest.raises(LiteRTError, match="cannot load"):
        measure_latencies(
            {"x": tmp_path / "model.tflite"}, PICTURES,
            threads=1, runs=20, warmup_runs=1, max_seconds=1,
        )  # fmt: skip
