"""A release: the winner's model and all that is known of it."""

from datetime import UTC, datetime

from components.common.data.membership import FILE_NAME as MEMBERSHIP_FILE
from components.common.digests import tree_digest
from components.common.documents.base import Document, Lineage
from components.common.documents.benchmark import Benchmark
from components.common.documents.candidate import Candidate
from components.common.documents.dataset import DatasetManifest
from components.common.documents.decision import Decision
from components.common.documents.measured import (
    MeasuredCandidate,
    folders_by_id,
    read_candidates,
)
from components.common.documents.models import Models
from components.common.documents.release import Ancestry, Release
from components.common.documents.variant import DENSE
from components.common.errors import UserError
from components.common.registry import MODEL_FILE
from components.common.runs.receipts import collect_receipt, find_ancestors
from components.common.shell.stage import Task
from components.common.tasks.model_card import card_of
from components.publish.config import PublishConfig
from components.publish.model_card import CardFacts, render_html, render_markdown

REPORT_FILE = "report.html"


def gather_release(
    task: Task[PublishConfig], decision: Decision
) -> tuple[Release, bytes, dict[str, bytes]]:
    """Returns the release, the winner's model and the version's other files by name."""
    assert decision.winner is not None
    inputs = task.inputs
    folder = folders_by_id(Candidate, inputs["candidates"])[decision.winner]
    winner = read_candidates(inputs["candidates"], inputs["evaluations"], inputs["benchmark"])[
        decision.winner
    ]
    candidate, evaluation = winner.candidate, winner.evaluation
    assert evaluation is not None, f"the winner {decision.winner} was not evaluated"
    benchmark = Benchmark.read(inputs["benchmark"])
    _check_measured(evaluation.lineage, "candidate", tree_digest(folder))
    _check_measured(benchmark.lineage, "candidates", task.lineage.inputs["candidates"])
    manifest = DatasetManifest.read(inputs["dataset"])
    receipt = collect_receipt(task.context)
    release = _describe(task, winner, manifest)
    facts = CardFacts(
        release=release,
        description=task.config.description,
        candidate=candidate,
        steps=Models.read(task.inputs["models"]).steps_between(DENSE, candidate.variant),
        evaluation=evaluation,
        benchmark=benchmark,
        manifest=manifest,
        decision=decision,
        ancestry=Ancestry(records=find_ancestors(receipt.tasks, [tree_digest(folder)])),
    )
    documents: list[Document] = [
        decision,
        receipt,
        manifest,
        candidate,
        evaluation,
        benchmark,
        facts.ancestry,
    ]
    files = {document.file_name: document.to_json().encode() + b"\n" for document in documents}
    files[MEMBERSHIP_FILE] = (inputs["dataset"] / MEMBERSHIP_FILE).read_bytes()
    files["labels.txt"] = "".join(f"{name}\n" for name in manifest.class_names).encode()
    files["README.md"] = render_markdown(facts).encode()
    files["model_card.html"] = render_html(facts).encode()
    files[REPORT_FILE] = inputs["page"].read_bytes()
    data = (folder / MODEL_FILE).read_bytes()
    files |= card_of(manifest.spec).release_files(data, release.model)
    return release, data, files


def _check_measured(lineage: Lineage, name: str, digest: str) -> None:
    """Checks that figures were taken of what is published.

    Raises:
      UserError: they were taken of something else.
    """
    if lineage.inputs.get(name) != digest:
        raise UserError(
            f"{lineage.stage}: has measured another {name} than the one to be published, so "
            "nothing is published; run again"
        )


def _describe(
    task: Task[PublishConfig], winner: MeasuredCandidate, manifest: DatasetManifest
) -> Release:
    candidate = winner.candidate
    assert candidate.model is not None, f"the winner {candidate.candidate_id} has no model"
    return Release(
        model_name=task.config.model_name,
        candidate_id=candidate.candidate_id,
        model=candidate.model,
        class_names=candidate.class_names,
        metrics=winner.metrics,
        latency_ms=winner.latency_ms,
        dataset_fingerprint=manifest.source_fingerprint,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        run_id=task.context.run_id,
        lineage=task.lineage,
    )
