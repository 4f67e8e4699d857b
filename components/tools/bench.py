"""bench: how fast models run on this machine, and how many times faster one is than the other."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.digests import file_digest
from components.common.documents.benchmark import BenchmarkMachine, Latency
from components.common.errors import UserError
from components.common.lite.latency import measure_latencies, summarize
from components.common.lite.litert import LiteRTError, Runner
from components.common.process.machine import cpu_model, usable_cores
from components.tools.documents import Bench, TimedModel
from components.tools.models import require_model


def bench(
    models: Sequence[Path],
    *,
    threads: Sequence[int],
    runs: int,
    max_seconds: float,
    on_round: Callable[[int, int], None] = lambda threads, rounds: None,
) -> Bench:
    """Times models of anybody's, taking turns in one process.

    Args:
      models: the first one is the reference; each is fed random values of its own input's type.
      threads: numbers of them; each is measured by itself.
      runs: timed inferences of each model at each number of threads, rounded up to tens.
      max_seconds: for each number of threads, about.
      on_round: told the number of threads, and how many rounds are done.

    Raises:
      UserError: a model is none, can't be run, or takes what can't be made up.
    """
    for path in models:
        require_model(path)
    sessions = [
        _measure(models, count, runs, max_seconds, partial(on_round, count)) for count in threads
    ]
    return Bench(
        machine=BenchmarkMachine(cpu_model=cpu_model(), cores=usable_cores()),
        models=tuple(
            TimedModel(
                file=str(path),
                sha256=file_digest(path),
                bytes=path.stat().st_size,
                latencies=tuple(session[number] for session in sessions),
            )
            for number, path in enumerate(models)
        ),
    )


def _measure(
    models: Sequence[Path],
    threads: int,
    runs: int,
    max_seconds: float,
    on_round: Callable[[int], None],
) -> list[Latency]:
    # By number: the same file may be given twice.
    names = [f"{number:03}" for number in range(len(models))]
    durations = measure_latencies(
        {name: partial(_load, path, threads) for name, path in zip(names, models, strict=True)},
        runs=runs,
        warmup_runs=runs // 10,
        max_seconds=max_seconds,
        on_round=on_round,
    )
    first = durations[names[0]]
    return [
        summarize(durations[name], threads=threads, reference=None if name == names[0] else first)
        for name in names
    ]


def _load(path: Path, threads: int) -> "_RandomlyFed":
    try:
        return _RandomlyFed(Runner(path, threads=threads))
    except LiteRTError as error:
        raise UserError(f"{path}: {error}") from error


class _RandomlyFed:
    """A model that sees random values, the same in every turn: their time is that of any others."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        random = np.random.default_rng(0)
        self._values = [make_values(one["shape"], one["dtype"], random) for one in runner.inputs]
        runner.load(self._values)
        runner.invoke()  # What can't be run is found out here.

    def take(self, turn: int) -> None:
        self._runner.load(self._values)

    def invoke(self) -> None:
        self._runner.invoke()


def make_values(
    shape: Sequence[int], dtype: type[np.generic], random: np.random.Generator
) -> npt.NDArray[Any]:
    """Returns values for an input: floats in [0, 1), bytes of any value, zeros of other integers.

    Indices, such as the tokens of a text, have a bound that no file states.

    Raises:
      LiteRTError: it takes texts, or another type that has no numbers.
    """
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return random.random(shape).astype(kind)
    if kind.itemsize == 1 and kind.kind in "iu":
        limits = np.iinfo(kind)
        return random.integers(limits.min, limits.max, shape, kind, endpoint=True)
    if kind.kind in "iub":
        return np.zeros(shape, kind)
    raise LiteRTError(f"an input of type {kind} can't be made up")
