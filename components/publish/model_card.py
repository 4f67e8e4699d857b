"""The model card: what whoever uses the model must know, in Markdown and as HTML."""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from components.common.documents.benchmark import Benchmark
from components.common.documents.bundle import StepFacts
from components.common.documents.candidate import Candidate, TFLiteModel
from components.common.documents.dataset import SPLITS, DatasetManifest
from components.common.documents.decision import CandidateVerdict, Decision
from components.common.documents.evaluation import Evaluation, SliceMetrics, telling_metrics
from components.common.documents.release import Ancestry, Release
from components.common.tasks.model_card import card_of
from components.common.words.figures import interval, milliseconds, percent, seconds, size
from components.common.words.markdown import escape_markdown, markdown_table

_TEMPLATES = Path(__file__).with_name("templates")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CardFacts:
    """All that the card is made of."""

    release: Release
    description: str
    candidate: Candidate
    steps: tuple[StepFacts, ...]
    """From the trained model to the candidate's variant."""
    evaluation: Evaluation
    benchmark: Benchmark
    manifest: DatasetManifest
    decision: Decision
    ancestry: Ancestry


def render_markdown(facts: CardFacts) -> str:
    return _render("README.md.j2", facts, html=False)


def render_html(facts: CardFacts) -> str:
    """Returns one page that needs no other file and no network."""
    return _render("model_card.html.j2", facts, html=True)


def mark_code(text: str) -> Markup:
    """Returns Markdown of nothing but words and code as HTML."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _render(template: str, facts: CardFacts, *, html: bool) -> str:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(text=escape_markdown, marked=mark_code)
    spec = facts.manifest.spec
    card = card_of(spec)
    return environment.get_template(template).render(
        facts=facts,
        release=facts.release,
        model=facts.release.model,
        verdict=_winner(facts.decision),
        classifier=card.CLASSIFIER,
        use=card.explain_use(facts.release.model, spec),
        example=card.example_code(facts.release.model, spec),
        table=markdown_table,
        properties=_properties(facts),
        metrics=_metrics(facts.release),
        classes=list(_classes(facts)),
        slices=list(_slices(facts.evaluation.per_slice)),
        sizes=list(_slices(facts.evaluation.per_size)),
        thresholds=list(_thresholds(facts.evaluation)),
        unknown_below=next(
            (f"{each.score:g}" for each in facts.evaluation.thresholds if each.chosen), None
        ),
        budgets=[
            (name, str(value))
            for name, value in facts.decision.budgets.model_dump(exclude_none=True).items()
        ],
        splits=[(split, str(facts.manifest.splits[split].examples)) for split in SPLITS],
        lineage=list(_lineage(facts, digests="{}" if html else "`{}`")),
    )


def _packed(model: TFLiteModel) -> Iterator[str]:
    for count, words in (
        (model.zipped_bytes, "zipped"),
        (model.xz_bytes, "as .xz"),
        (model.zstd_bytes, "as .zst"),
    ):
        if count is not None:
            yield f"{size(count)} {words}"


def _steps(facts: CardFacts) -> str:
    titles = ", ".join(step.title for step in facts.steps)
    return f" ({titles})" if titles else ""


def _properties(facts: CardFacts) -> list[tuple[str, str]]:
    """Returns the card's head: name and text."""
    release, model, candidate = facts.release, facts.release.model, facts.candidate
    accuracy = release.metrics["accuracy"]
    rows = [
        (
            "Scheme",
            f"{candidate.scheme.kind}, from the {candidate.variant} model{_steps(facts)}",
        ),
        ("Kept as", candidate.words),
        ("Classes", str(len(release.class_names))),
        *card_of(facts.manifest.spec).input_properties(model, facts.manifest.spec),
        ("Output", f"{model.output.dtype}, one probability a class"),
        ("Size", f"{size(model.size_bytes)}; {', '.join(_packed(model))}"),
        ("Cost", f"{model.parameters:,} parameters, {model.macs:,} multiply-accumulates"),
        (
            "Accuracy",
            f"{percent(accuracy.value)} (95 % interval {interval(accuracy.low, accuracy.high)}, "
            f"{facts.evaluation.examples} test examples)",
        ),
    ]
    if release.latency_ms is not None:
        machine = facts.benchmark.machine
        rows.append(
            (
                "Latency",
                f"{milliseconds(release.latency_ms)} (p50, one thread) on {machine.cpu_model}, "
                f"{machine.cores} cores",
            )
        )
    rows += [("Created", release.created), ("Run", release.run_id), ("SHA-256", model.sha256)]
    return rows


def _metrics(release: Release) -> list[tuple[str, str, str]]:
    """Returns name, value and 95 % interval of each metric that tells something."""
    rows = []
    for name, estimate in telling_metrics(release.metrics, len(release.class_names)).items():
        text = "{:.3f}".format if name == "log_loss" else percent
        interval = f"{text(estimate.low)} to {text(estimate.high)}"
        rows.append((name.replace("_", " "), text(estimate.value), interval))
    return rows


def _classes(facts: CardFacts) -> Iterator[Sequence[str]]:
    """Yields of each class its name, training and test examples, recall, interval, precision."""
    trained = facts.manifest.splits["train"].examples_per_class
    for examples, metrics in zip(trained, facts.evaluation.per_class, strict=True):
        recall = metrics.recall
        yield (
            metrics.class_name,
            str(examples),
            str(metrics.examples),
            percent(recall.value),
            interval(recall.low, recall.high),
            percent(metrics.precision),
        )


def _slices(slices: Sequence[SliceMetrics]) -> Iterator[Sequence[str]]:
    """Yields of each slice or size its name, test examples, accuracy and interval."""
    for metrics in slices:
        accuracy = metrics.accuracy
        yield (
            metrics.slice_name,
            str(metrics.examples),
            percent(accuracy.value),
            interval(accuracy.low, accuracy.high),
        )


def _thresholds(evaluation: Evaluation) -> Iterator[Sequence[str]]:
    """Yields of each score which test examples are answered, and how many of these right."""
    for threshold in evaluation.thresholds:
        accuracy = threshold.accuracy
        right = percent(accuracy.value), interval(accuracy.low, accuracy.high)
        yield (
            f"{threshold.score:g}",
            percent(threshold.coverage),
            *(right if threshold.coverage else ("-", "-")),
        )


def _lineage(facts: CardFacts, *, digests: str) -> Iterator[Sequence[str]]:
    """Yields of each computation its stage, key, code, output, beginning and duration.

    Args:
      facts: of the card.
      digests: how they are to stand there, as a format.
    """
    for record in facts.ancestry.records:
        own = (record.key, record.code, record.output_digest)
        shown = (digests.format(digest[:12]) for digest in own)
        yield record.stage, *shown, record.started, seconds(record.seconds)


def _winner(decision: Decision) -> CandidateVerdict:
    return next(
        verdict for verdict in decision.candidates if verdict.candidate_id == decision.winner
    )
