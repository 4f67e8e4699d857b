"""How fast the candidates are, which benchmark writes."""

from typing import ClassVar

from components.common.documents.base import Document, Lineage, Part
from components.common.documents.evaluation import Estimate


class Latency(Part):
    """Of one inference of one example, in milliseconds."""

    threads: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    runs: int
    ratio: Estimate | None = None
    """This p50 over that of what took turns with it as the reference, with a 95 % interval;
    float32 among candidates. None of the reference itself."""


class CandidateBenchmark(Part):
    candidate_id: str
    latencies: tuple[Latency, ...]
    """One for each number of threads."""
    peak_memory_bytes: int
    """Growth of the process's resident memory while the model is loaded and run."""
    energy_mj: float | None = None
    """Of one inference at one thread, by the counters of the processor's packages, which count
    all that runs on them; None where there are none that can be read."""
    cost_per_million: float | None = None
    """Of a million inferences, in the currency of the machine's price."""

    @property
    def at_one_thread(self) -> Latency | None:
        """What budgets are held against."""
        return next((latency for latency in self.latencies if latency.threads == 1), None)


class BenchmarkMachine(Part):
    """Where latency was measured; figures of two machines are never compared."""

    cpu_model: str
    cores: int


class Benchmark(Document):
    """All candidates, interleaved in one process, so that their figures compare."""

    file_name: ClassVar[str] = "benchmark.json"

    machine: BenchmarkMachine
    price_per_hour: float | None = None
    """Of the machine, as the recipe states it."""
    candidates: tuple[CandidateBenchmark, ...]
    lineage: Lineage
