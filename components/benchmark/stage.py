"""benchmark: latency and memory of all candidates, on the machine where it runs."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.benchmark.config import BenchmarkConfig
from components.common.documents.benchmark import (
    Benchmark,
    BenchmarkMachine,
    CandidateBenchmark,
    Latency,
)
from components.common.documents.candidate import BASELINE_ID, Candidate
from components.common.documents.dataset import DatasetManifest
from components.common.documents.measured import folders_by_id
from components.common.process.events import Events
from components.common.process.machine import cpu_model, usable_cores
from components.common.run_context import RunContext
from components.common.shell.stage import Stage, Task

if TYPE_CHECKING:
    import numpy.typing as npt

    from components.benchmark.energy import Package

_EXAMPLES = 32


def _identify(config: BenchmarkConfig, context: RunContext, events: Events) -> Mapping[str, str]:
    """Figures of one machine say nothing about another."""
    return {"cpu_model": cpu_model(), "threads": ",".join(map(str, _thread_counts()))}


def _thread_counts() -> tuple[int, ...]:
    return tuple(sorted({1, usable_cores()}))


def _compute(task: Task[BenchmarkConfig]) -> None:
    from components.benchmark.energy import find_packages
    from components.benchmark.memory import measure_peak_memory

    models = _models(task.inputs["candidates"])
    inputs = _read_inputs(task, models)
    sessions = [_measure(task, models, inputs, threads) for threads in _thread_counts()]
    packages = find_packages()
    if not packages:
        task.events.warn("energy: this machine has no RAPL counters that may be read")
    price = task.config.price_per_hour
    Benchmark(
        price_per_hour=price,
        machine=BenchmarkMachine(cpu_model=cpu_model(), cores=usable_cores()),
        candidates=tuple(
            CandidateBenchmark(
                candidate_id=id_,
                latencies=tuple(latencies[id_] for latencies in sessions),
                peak_memory_bytes=measure_peak_memory(model),
                energy_mj=_energy_mj(model, inputs[id_], packages) if packages else None,
                cost_per_million=price and _cost_per_million([one[id_] for one in sessions], price),
            )
            for id_, model in models.items()
        ),
        lineage=task.lineage,
    ).write(task.output)


def _read_inputs(
    task: Task[BenchmarkConfig], models: Mapping[str, Path]
) -> "dict[str, list[npt.NDArray[Any]]]":
    """Returns the same test examples for each candidate; what is alike is in memory once."""
    from components.common.tasks.reading import device_input, read_examples

    manifest = DatasetManifest.read(task.inputs["dataset"])
    test = list(islice(read_examples(manifest, "test", task.context.data()), _EXAMPLES))
    known: dict[bytes, npt.NDArray[Any]] = {}
    return {
        id_: [known.setdefault(array.tobytes(), array) for array in map(see, test)]
        for id_, see in ((id_, device_input(manifest, model)) for id_, model in models.items())
    }


def _measure(
    task: Task[BenchmarkConfig],
    models: Mapping[str, Path],
    inputs: "Mapping[str, Sequence[npt.NDArray[Any]]]",
    threads: int,
) -> dict[str, Latency]:
    """Returns the latency of each candidate, and its ratio to float32's where that was made."""
    from components.benchmark.candidates import FedCandidate
    from components.common.lite.latency import measure_latencies, summarize

    durations = measure_latencies(
        {
            id_: partial(FedCandidate, model, inputs[id_], threads=threads)
            for id_, model in models.items()
        },
        runs=task.config.runs,
        warmup_runs=task.config.warmup_runs,
        max_seconds=task.config.max_seconds / len(_thread_counts()),
        on_round=_progress(task, threads),
    )
    baseline = durations.get(BASELINE_ID)
    return {
        id_: summarize(own, threads=threads, reference=None if id_ == BASELINE_ID else baseline)
        for id_, own in durations.items()
    }


def _energy_mj(
    model: Path, inputs: "Sequence[npt.NDArray[Any]]", packages: "Sequence[Package]"
) -> float:
    from components.benchmark.candidates import FedCandidate
    from components.benchmark.energy import measure_energy

    loaded = FedCandidate(model, inputs, threads=1)
    loaded.take(0)
    return measure_energy(loaded.invoke, packages)


def _cost_per_million(latencies: Sequence[Latency], price_per_hour: float) -> float:
    """Returns what a machine costs that does nothing but a million inferences, one by one.

    At the number of threads that is fastest: the whole machine is paid for, however many cores
    an inference uses. A machine that waits costs more, one that runs several at once less.
    """
    hours = 1_000_000 * min(latency.p50_ms for latency in latencies) / 3_600_000
    return price_per_hour * hours


def _progress(task: Task[BenchmarkConfig], threads: int) -> Callable[[int], None]:
    note = "1 thread" if threads == 1 else f"{threads} threads"
    return lambda rounds: task.events.progress(rounds, task.config.runs, "rounds", note)


def _models(folders: tuple[Path, ...]) -> dict[str, Path]:
    """Returns candidate id -> model, by id: the order of KFP's collection means nothing."""
    return {
        id_: folder / "model.tflite"
        for id_, folder in folders_by_id(Candidate, folders).items()
        if Candidate.read(folder).failure is None
    }


STAGE = Stage(
    name="benchmark",
    config=BenchmarkConfig,
    output="benchmark",
    compute=_compute,
    identify=_identify,
)
