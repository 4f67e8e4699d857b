"""The benchmark stage on real candidates."""

from pathlib import Path

import pytest

from components.benchmark import stage
from components.benchmark.config import BenchmarkConfig
from components.benchmark.energy import find_packages
from components.common.documents.benchmark import Benchmark
from components.common.documents.candidate import Candidate
from components.common.documents.record import Record
from components.common.process.machine import cpu_model, usable_cores
from tests.components.conftest import TrainedModel

CONFIG = BenchmarkConfig(runs=20, warmup_runs=1)


def benchmark(
    trained: TrainedModel, candidates: list[Path], output: Path, config: BenchmarkConfig = CONFIG
) -> Benchmark:
    stage.STAGE.run(
        dataset=trained.dataset,
        candidates=tuple(candidates),
        config=config.to_json(),
        context=trained.context.to_json(),
        benchmark=output,
    )
    return Benchmark.read(output)


def test_all_candidates_that_were_made_are_measured_at_one_thread_and_at_all(
    trained: TrainedModel, candidates: dict[str, Path], tmp_path: Path
) -> None:
    failed = Candidate.read(candidates["float16"])
    failed.model_copy(update={"model": None, "failure": "no"}).write(tmp_path / "failed")
    chosen = [candidates["int8"], tmp_path / "failed", candidates["float32"]]
    priced = CONFIG.model_copy(update={"price_per_hour": 3.6})
    result = benchmark(trained, chosen, tmp_path / "benchmark", priced)
    assert [entry.candidate_id for entry in result.candidates] == ["float32", "int8"]
    threads = sorted({1, usable_cores()})
    for entry in result.candidates:
        assert [latency.threads for latency in entry.latencies] == threads
        assert entry.peak_memory_bytes > 0
        assert (entry.energy_mj is not None) == bool(find_packages())
        # A million inferences take as many thousands of seconds as one takes milliseconds.
        fastest = min(latency.p50_ms for latency in entry.latencies)
        assert entry.cost_per_million == pytest.approx(3.6 / 3600 * 1000 * fastest)
    assert result.machine.cpu_model == cpu_model()
    assert result.machine.cores == usable_cores()
    store = Path(trained.context.data_root, "store/benchmark", result.lineage.key)
    assert Record.read(store).identity == {
        "cpu_model": cpu_model(),
        "threads": ",".join(map(str, threads)),
    }


@pytest.mark.slow
def test_figures_come_from_the_store_on_the_same_machine_alone(
    trained: TrainedModel,
    candidates: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen = [candidates["dynamic_range"]]
    first = benchmark(trained, chosen, tmp_path / "first")
    assert first.candidates[0].cost_per_million is first.price_per_hour is None
    again = benchmark(trained, chosen, tmp_path / "again")
    assert again == first
    monkeypatch.setattr(stage, "cpu_model", lambda: "Another CPU")
    elsewhere = benchmark(trained, chosen, tmp_path / "elsewhere")
    assert elsewhere.lineage.key != first.lineage.key
    assert elsewhere.machine.cpu_model == "Another CPU"
