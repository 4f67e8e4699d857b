"""Report: one HTML page on the whole run."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from components.common.documents.benchmark import Benchmark
from components.common.documents.candidate import BASELINE_ID
from components.common.documents.dataset import SPLITS, DatasetManifest
from components.common.documents.decision import Decision
from components.common.documents.evaluation import Evaluation
from components.common.documents.ladder import Ladder
from components.common.documents.measured import folders_by_id, read_candidates
from components.common.documents.models import Models
from components.common.documents.near_copies import NearCopies
from components.common.documents.oddities import Oddities
from components.common.documents.paths import read_paths
from components.common.documents.record import Receipt
from components.common.documents.rejects import read_rejects
from components.common.documents.validation import Validation
from components.common.runs.receipts import collect_receipt
from components.common.shell.stage import Stage, Task
from components.report.config import ReportConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.common.data.examples import Labelled
    from components.common.documents.placed import Placed
    from components.report.mistakes import Mistakes
    from components.report.page import Examples
    from components.report.sources import Run

PAGE = "index.html"


def _compute(task: Task[ReportConfig]) -> None:
    from components.report.page import build_page, render

    documents = _with_paths(_read_run(task), task.inputs["dataset"])
    mistakes = _find_mistakes(task, documents)
    page = build_page(documents, mistakes, _read_examples(task, documents, mistakes))
    path = task.output / PAGE
    path.write_text(render(page), encoding="utf-8")
    task.context.data().upload(path, f"{task.context.run_folder()}/report.html")


def _read_run(task: Task[ReportConfig]) -> "Run":
    from components.report.sources import Run

    inputs = task.inputs
    return Run(
        run_id=task.context.run_id,
        recipe_name=task.context.recipe_name,
        config=task.config,
        manifest=DatasetManifest.read(inputs["dataset"]),
        rejects=read_rejects(inputs["dataset"]),
        near_copies=NearCopies.read(inputs["dataset"]),
        oddities=Oddities.read(inputs["dataset"]),
        validation=Validation.read(inputs["validation"]),
        models=Models.read(inputs["models"]),
        candidates=read_candidates(
            inputs["candidates"], inputs["evaluations"], inputs["benchmark"]
        ),
        benchmark=Benchmark.read(inputs["benchmark"]),
        decision=Decision.read(inputs["decision"]),
        receipt=_collect_receipt(task),
        search=_read_search(inputs["models"]),
    )


def _with_paths(run: "Run", dataset: Path) -> "Run":
    from components.report.dataset import ids_without_path

    return dataclasses.replace(run, paths=read_paths(dataset, ids_without_path(run)))


def _read_search(models: Path) -> Ladder | None:
    """Reads the search that stands beside the models that it has made, if one did."""
    return Ladder.read(models) if (models / Ladder.file_name).is_file() else None


def _collect_receipt(task: Task[ReportConfig]) -> Receipt:
    """Returns the tasks before this one; an earlier attempt at it is not among them."""
    receipt = collect_receipt(task.context)
    before = tuple(result for result in receipt.tasks if result.task != task.name)
    seconds = sum(result.seconds for result in before)
    return receipt.model_copy(update={"tasks": before, "seconds": seconds})


def _find_mistakes(task: Task[ReportConfig], documents: "Run") -> "Mistakes | None":
    from components.common.data.predictions import read_evaluation_predictions
    from components.report.mistakes import find_mistakes

    challenger = documents.challenger()
    if challenger is None or documents.evaluation(BASELINE_ID) is None:
        return None
    folders = folders_by_id(Evaluation, task.inputs["evaluations"])
    return find_mistakes(
        read_evaluation_predictions(folders[BASELINE_ID]),
        read_evaluation_predictions(folders[challenger]),
        candidate_id=challenger,
        limit=task.config.mistakes,
    )


def _read_examples(
    task: Task[ReportConfig], documents: "Run", mistakes: "Mistakes | None"
) -> "Examples":
    from components.common.tasks.reading import read_examples
    from components.common.tasks.showing import pick_by_class, pick_by_id, show_example
    from components.report.dataset import alike_ids, doubtful_labels, placed_examples
    from components.report.page import Examples

    manifest, storage = documents.manifest, task.context.data()
    chosen = pick_by_class(
        read_examples(manifest, "train", storage),
        class_count=len(manifest.class_names),
        per_class=task.config.thumbnails_per_class,
    )
    test = read_examples(manifest, "test", storage)
    wrong = pick_by_id(test, mistakes.ids if mistakes else frozenset())
    placed = _pick_placed(placed_examples(documents), task, manifest, documents.near_copies)
    validation = read_examples(manifest, "validation", storage)
    doubts = doubtful_labels(documents).shown
    doubtful = pick_by_id(validation, frozenset(doubt.id for doubt in doubts))
    alike = pick_by_id(read_examples(manifest, "train", storage), alike_ids(documents))
    return Examples(
        by_label={
            label: [show_example(example, manifest, large=False) for example in examples]
            for label, examples in chosen.items()
        },
        by_id={
            id_: show_example(example, manifest, large=True)
            for id_, example in {**wrong, **placed, **doubtful, **alike}.items()
        },
    )


def _pick_placed(
    wanted: "Sequence[Placed]",
    task: Task[ReportConfig],
    manifest: DatasetManifest,
    near_copies: NearCopies,
) -> "dict[str, Labelled]":
    """Reads examples out of the shards that hold them, and no others."""
    from components.common.tasks.reading import read_examples
    from components.common.tasks.showing import pick_by_id

    manifest = near_copies.beside(manifest)
    found: dict[str, Labelled] = {}
    for split in SPLITS:
        own = [placed for placed in wanted if placed.split == split]
        shards = {placed.shard for placed in own}
        examples = read_examples(manifest, split, task.context.data(), of=shards)
        found |= pick_by_id(examples, frozenset(placed.id for placed in own))
    return found


STAGE = Stage(
    name="report",
    config=ReportConfig,
    output="page",
    compute=_compute,
    reuse=False,
    output_file=PAGE,
)
