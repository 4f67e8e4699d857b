"""What each candidate of a ladder comes to over several test splits, from finished runs.

    python tests/examples/emoji.py package fold0.csv --fold 0      # and 1, 2, 3
    litesmith run emoji --set data.list=fold0.csv --registry fold0
    python -m tests.benchmarks.folds litesmith-data/runs/*

The runs are of one recipe, each with a test split of its own. Their test examples are taken
together, each judged by the models of its run, paired with float32 of the same run. The drop's
interval is the gate's (Tango's score), at 95 %; sizes are means; the time is the median over the
runs of the ratio to float32 of the same run (interleaved).
"""

import argparse
import statistics
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from components.common.data.predictions import join_by_id, read_evaluation_predictions
from components.common.documents.benchmark import Benchmark
from components.common.documents.candidate import BASELINE_ID, Candidate, TFLiteModel
from components.common.documents.record import Receipt, Record
from components.common.statistics.metrics import predicted_classes
from components.common.statistics.noninferiority import drop_lower_bound, drop_upper_bound

MEGABYTE = 1e6

COLUMNS = (
    "candidate",
    "accuracy",
    "lost / won",
    "drop, points (95 %)",
    "raw MB",
    "zip MB",
    "of float32's zip",
    "time, float32 = 1",
)


@dataclass(frozen=True)
class Fold:
    """One candidate of one run, on its test split."""

    examples: int
    correct: int
    lost: int
    won: int
    model: TFLiteModel
    time_ratio: float | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path, help="folders of finished runs")
    folds = defaultdict[str, list[Fold]](list)
    for run in parser.parse_args().runs:
        for candidate, fold in read_run(run):
            folds[candidate].append(fold)
    print(f"| {' | '.join(COLUMNS)} |")
    print("|---" * len(COLUMNS) + "|")
    baseline = folds[BASELINE_ID]
    for candidate, of in sorted(folds.items(), key=lambda item: -_mean_zip(item[1])):
        print(f"| {candidate} | {' | '.join(describe(of, baseline))} |")


def read_run(run: Path) -> Iterator[tuple[str, Fold]]:
    """Yields the candidates of a run that have an evaluation on its test split."""
    receipt = Receipt.read(run)
    records = [task.record for task in receipt.tasks if task.record is not None]
    models = {
        candidate.candidate_id: candidate.model
        for record in records
        if record.stage == "quantize"
        for candidate in [Candidate.read(_folder(run, record))]
        if candidate.model is not None
    }
    times = next(_times(run, record) for record in records if record.stage == "benchmark")
    named = {
        task.task.removeprefix("evaluate[").removesuffix("]"): read_evaluation_predictions(
            _folder(run, task.record)
        )
        for task in receipt.tasks
        if task.record is not None and task.record.stage == "evaluate"
    }
    right = {name: predicted_classes(of.probabilities) == of.labels for name, of in named.items()}
    for name, model in models.items():
        if name in named:
            own_at, baseline_at = join_by_id(named[name], named[BASELINE_ID])
            own, other = right[name][own_at], right[BASELINE_ID][baseline_at]
            yield (
                name,
                Fold(
                    examples=len(own),
                    correct=int(own.sum()),
                    lost=int((other & ~own).sum()),
                    won=int((own & ~other).sum()),
                    model=model,
                    time_ratio=times.get(name),
                ),
            )


def describe(folds: list[Fold], baseline: list[Fold]) -> list[str]:
    """Returns the cells of a candidate's row."""
    examples = sum(fold.examples for fold in folds)
    lost, won = sum(fold.lost for fold in folds), sum(fold.won for fold in folds)
    low = drop_lower_bound(lost, won, examples=examples, alpha=0.025)
    high = drop_upper_bound(lost, won, examples=examples, alpha=0.025)
    times = [fold.time_ratio for fold in folds if fold.time_ratio is not None]
    return [
        f"{sum(fold.correct for fold in folds) / examples:.3f}",
        f"{lost} / {won}",
        f"{100 * (lost - won) / examples:.1f} ({100 * low:.1f} to {100 * high:.1f})",
        f"{statistics.mean(fold.model.size_bytes for fold in folds) / MEGABYTE:.2f}",
        f"{_mean_zip(folds) / MEGABYTE:.2f}",
        f"1 / {_mean_zip(baseline) / _mean_zip(folds):.1f}",
        f"{statistics.median(times):.2f}" if times else "",
    ]


def _mean_zip(folds: list[Fold]) -> float:
    return statistics.mean(fold.model.zipped_bytes for fold in folds)


def _folder(run: Path, record: Record) -> Path:
    stored = record.stored
    return run.parent.parent / "store" / stored.stage / stored.key / stored.output_digest


def _times(run: Path, record: Record) -> dict[str, float]:
    """Returns the ratio of each candidate's p50 to that of float32, on one thread."""
    return {
        candidate.candidate_id: latency.ratio.value
        for candidate in Benchmark.read(_folder(run, record)).candidates
        if (latency := candidate.at_one_thread) is not None and latency.ratio is not None
    }


if __name__ == "__main__":
    main()
