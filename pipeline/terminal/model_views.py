"""Released models in the terminal: what `litesmith models list | show | diff | rollback` print."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from components.common.documents.dataset import SPLITS
from components.common.documents.release import BlessedPointer, Release
from components.common.tasks.showing import tell_data
from components.common.words.figures import interval, milliseconds, or_dash, percent, size, spread
from pipeline.runs.models import (
    SHOWN_DIGITS,
    ListedVersion,
    VersionDetails,
    VersionDiff,
)
from pipeline.terminal.console import make_table


def versions_table(versions: Sequence[ListedVersion]) -> Table:
    """Renders `models list`."""
    figures = ("accuracy", "size", "zipped", "p50")
    table = make_table(
        "model",
        "version",
        "created",
        "candidate",
        *figures,
        "",
        figures=figures,
        wraps=("model", "candidate"),
    )
    for row in versions:
        release = row.release
        table.add_row(
            release.model_name,
            release.version[:SHOWN_DIGITS],
            _moment(release.created),
            release.candidate_id,
            _accuracy(release),
            size(release.model.size_bytes),
            size(release.model.zipped_bytes),
            or_dash(release.latency_ms, milliseconds),
            Text("blessed", style="bold green") if row.blessed else "",
        )
    return table


def details_view(details: VersionDetails) -> RenderableType:
    """Renders `models show`."""
    release, model = details.release, details.release.model
    shape = " × ".join(str(length) for length in model.input.shape)
    head = make_table("", "", wraps=("",))
    rows = {
        "candidate": release.candidate_id,
        "created": f"{_moment(release.created)}, run {release.run_id}",
        "accuracy": _accuracy(release),
        "size": f"{size(model.size_bytes)}, zipped {size(model.zipped_bytes)}",
        "latency": f"{or_dash(release.latency_ms, milliseconds)} (p50, one thread)",
        "input": f"{model.input.dtype}, {shape}: {tell_data(details.manifest).described}",
        "classes": f"{len(release.class_names)}: {', '.join(release.class_names)}",
        "data": ", ".join(f"{details.manifest.splits[split].examples} {split}" for split in SPLITS),
        "decision": details.decision.summary,
        "folder": details.uri,
    }
    for name, text in rows.items():
        head.add_row(Text(name, style="bold"), Text(text))
    figures = ("examples", "recall", "95 % interval", "precision")
    classes = make_table("class", *figures, figures=figures, wraps=("class",))
    for metrics in details.evaluation.per_class:
        classes.add_row(
            Text(metrics.class_name),
            str(metrics.examples),
            percent(metrics.recall.value),
            interval(metrics.recall.low, metrics.recall.high),
            percent(metrics.precision),
        )
    lineage = make_table("stage", "key", "code", "computed")
    for record in details.ancestry.records:
        lineage.add_row(record.stage, record.key[:12], record.code[:12], _moment(record.started))
    title = Text(f"{release.model_name} {release.version}", style="bold")
    if details.blessed:
        title.append("  blessed", style="bold green")
    return Group(title, head, Text(), classes, Text(), lineage)


def diff_view(diff: VersionDiff) -> RenderableType:
    """Renders `models diff`."""
    parts: list[RenderableType] = []
    for title, changes, none in (
        ("figures", diff.figures, ""),
        ("recall by class", diff.recalls, "no class changed"),
        ("data", diff.dataset, "the same data"),
        ("configuration", diff.config, "the same configuration"),
    ):
        if not changes:
            parts += [Text(f"{title}: {none}"), Text()]
            continue
        versions = [each.version[:SHOWN_DIGITS] for each in (diff.before, diff.after)]
        table = make_table(
            title, *versions, "change", figures=("change",), wraps=(title, *versions)
        )
        for change in changes:
            cells = (change.name, change.before or "-", change.after or "-", change.difference)
            table.add_row(*(Text(cell) for cell in cells))
        parts += [table, Text()]
    return Group(*parts[:-1])


def rollback_view(pointer: BlessedPointer) -> RenderableType:
    """Renders `models rollback`."""
    return Text(
        f"{pointer.model_name}: version {pointer.version} ({pointer.candidate_id}) is blessed now"
    )


def _moment(iso: str) -> str:
    return iso[:16].replace("T", " ")


def _accuracy(release: Release) -> str:
    accuracy = release.metrics["accuracy"]
    return spread(accuracy.value, accuracy.low, accuracy.high)
