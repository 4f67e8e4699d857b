"""Anybody's `.tflite` in the terminal: what the commands of `components/tools` print."""

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from components.common.documents.diagnosis import CAUSES
from components.common.words.figures import (
    counted,
    interval,
    listing,
    milliseconds,
    or_dash,
    percent,
    points,
    shown,
    size,
    times,
)
from components.tools.documents import (
    Bench,
    Comparison,
    Drift,
    Inspection,
    Interface,
    LayerCosts,
    Shrunk,
    StoredTensor,
)
from pipeline.terminal.console import make_table


def inspection_view(found: Inspection, *, most: int) -> RenderableType:
    """Renders `inspect`.

    Args:
      found: what the file holds.
      most: how many layers and tensors to show; the largest.
    """
    head = make_table("", "", wraps=("",))
    for name, text in _facts(found).items():
        head.add_row(Text(name, style="bold"), Text(text))
    return Group(
        Text(found.file, style="bold"),
        head,
        Text(),
        _uses_table(found),
        Text(),
        _layers_table(found.layers, most),
        Text(),
        _tensors_table(found.tensors, found.sizes.raw, most),
    )


def bench_view(found: Bench) -> RenderableType:
    """Renders `bench`."""
    figures = ("threads", "p50", "p90", "p99", "runs")
    table = make_table(
        "model", *figures, "p50 to the first one's", figures=figures, wraps=("model",)
    )
    for model in found.models:
        for latency in model.latencies:
            table.add_row(
                model.file,
                str(latency.threads),
                *(milliseconds(p) for p in (latency.p50_ms, latency.p90_ms, latency.p99_ms)),
                f"{latency.runs:,}",
                or_dash(latency.ratio, lambda one: times(one.value, one.low, one.high)),
            )
    machine = found.machine
    return Group(Text(f"{machine.cpu_model}, {machine.cores} cores"), table)


def comparison_view(found: Comparison) -> RenderableType:
    """Renders `compare`."""
    figures = ("size", "accuracy (95 %)")
    table = make_table("model", *figures, figures=figures, wraps=("model",))
    for model in found.models:
        accuracy = model.accuracy
        table.add_row(
            model.file,
            size(model.bytes),
            f"{percent(accuracy.value)} ({interval(accuracy.low, accuracy.high)})",
        )
    lines = [
        f"{found.pictures:,} pictures: the same class for {percent(found.agreement)}; "
        f"{counted(found.lost, 'answer', 'answers')} lost, {found.won:,} won",
        f"the accuracy drops by {points(found.drop)}, by less than {points(found.upper_bound)} "
        f"at {percent(found.confidence, 0)} confidence",
    ]
    if found.margin is not None:
        proven = "proven" if found.proven else "not proven"
        lines.append(f"{proven}: a drop of less than {points(found.margin)}")
    if found.unreadable:
        lines.append(f"left out, for they can't be decoded: {shown(found.unreadable)}")
    parts: list[RenderableType] = [table, Text("\n".join(lines))]
    if found.flips:
        parts += [Text(), _flips_table(found)]
    return Group(*parts)


def drift_view(found: Drift) -> RenderableType:
    """Renders `drift`."""
    figures = ("drift", "own", "clipped")
    parts = found.finding.cause != "accumulation"
    table = make_table("layer", "operator", *figures, "", figures=figures, wraps=("layer",))
    for layer in found.layers:
        table.add_row(
            layer.layer,
            layer.operator,
            f"{layer.drift_db:.1f} dB",
            f"{layer.own_db:.1f} dB",
            percent(layer.clipped),
            "← parts here" if parts and layer.layer == found.finding.layer else "",
        )
    finding = found.finding
    lines = [
        f"{found.pictures} pictures; signal to noise of each layer, with what it inherits (drift) "
        "and on the inputs that it has in the file (own)",
        f"{finding.layer}: {CAUSES[finding.cause]}",
        *(f"- {sentence}" for sentence in finding.evidence),
    ]
    if finding.in_float:
        lines.append(f"computed in floating point: {listing(finding.in_float)}")
    if found.unreadable:
        lines.append(f"left out, for they can't be decoded: {shown(found.unreadable)}")
    return Group(table, Text("\n".join(lines)))


def shrunk_view(found: Shrunk) -> RenderableType:
    """Renders `shrink`."""
    figures = tuple(found.before.model_fields)
    table = make_table("model", *figures, figures=figures, wraps=("model",))
    one, other = found.comparison.models
    refused = found.comparison.proven is False
    table.add_row(one.file, *(size(getattr(found.before, name)) for name in figures))
    smaller = (
        f"{size(now)} (−{percent(1 - now / was)})"
        for was, now in (
            (getattr(found.before, name), getattr(found.after, name)) for name in figures
        )
    )
    table.add_row(f"{other.file}, not written" if refused else other.file, *smaller)
    steps = f"{listing(found.steps)}, learned from {found.learned_from:,} pictures"
    return Group(table, Text(steps), Text(), comparison_view(found.comparison))


def _flips_table(found: Comparison) -> Table:
    table = make_table("picture", "class", "first", "second", "", wraps=("picture",))
    for flip in found.flips[:_MOST_FLIPS]:
        outcome = {flip.first: "lost", flip.second: "won"}.get(flip.label, "wrong either way")
        table.add_row(flip.picture, flip.label, flip.first, flip.second, outcome)
    if (rest := len(found.flips) - _MOST_FLIPS) > 0:
        table.add_row(f"and {rest} more (--json)")
    return table


def _facts(found: Inspection) -> dict[str, str]:
    sizes = found.sizes
    codecs = {"zip": sizes.zip, "xz": sizes.xz, "zstd": sizes.zstd}
    packed = [f"{codec} {size(count)}" for codec, count in codecs.items() if count is not None]
    facts = {
        "size": f"{size(sizes.raw)}; {', '.join(packed)}",
        "input": "; ".join(map(_interface, found.inputs)),
        "output": "; ".join(map(_interface, found.outputs)),
        "operators": _counts(found.operators),
        "parameters": f"{found.parameters:,}, of the weights {percent(found.sparsity)} zeros",
        "MACs": _macs(found),
        "computes in": listing([f"{dtype} {percent(s)}" for dtype, s in found.computes_in.items()]),
        "metadata": listing(found.metadata) or "none",
        "files": _files(found),
    }
    if found.float_operators:
        facts["in float all the same"] = _counts(found.float_operators)
    return facts


def _interface(one: Interface) -> str:
    shape = " × ".join(map(str, one.shape))
    scale = f", scale {one.scale:.6g}, zero point {one.zero_point}" if one.scale else ""
    return f"{one.name}: {one.dtype}, {shape}{scale}"


def _macs(found: Inspection) -> str:
    beside = f"; not counted: {listing(found.uncounted)}" if found.uncounted else ""
    return f"{found.macs:,} multiply-accumulates a run{beside}"


def _files(found: Inspection) -> str:
    if not found.files:
        return "none"
    labels = f"; {found.labels} labels" if found.labels is not None else ""
    return listing([f"{name} ({size(count)})" for name, count in found.files.items()]) + labels


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _uses_table(found: Inspection) -> Table:
    table = make_table("bytes", "size", "share", figures=("size", "share"))
    for use, count in found.bytes_by_use.items():
        table.add_row(use, size(count), percent(count / found.sizes.raw))
    return table


def _layers_table(layers: Sequence[LayerCosts], most: int) -> Table:
    figures = ("parameters", "MACs")
    table = make_table("layer", "output", "shape", "in", "weights", *figures, figures=figures)
    places = sorted(range(len(layers)), key=lambda place: -(layers[place].macs or 0))[:most]
    for one in (layers[place] for place in sorted(places)):
        table.add_row(
            one.operator,
            _short(one.output),
            "×".join(map(str, one.shape)),
            one.computes_in,
            one.weights_in,
            f"{one.parameters:,}",
            or_dash(one.macs, lambda macs: f"{macs:,}"),
        )
    _tell_rest(table, layers, most)
    return table


def _tensors_table(tensors: Sequence[StoredTensor], whole: int, most: int) -> Table:
    figures = ("size", "share", "zeros")
    table = make_table("tensor", "type", "shape", *figures, figures=figures)
    for one in tensors[:most]:
        also = f" and {one.also} more" if one.also else ""
        table.add_row(
            _short(one.name) + also,
            one.dtype,
            "×".join(map(str, one.shape)),
            size(one.bytes),
            percent(one.bytes / whole),
            or_dash(one.zeros, percent),
        )
    _tell_rest(table, tensors, most)
    return table


def _tell_rest(table: Table, rows: Iterable[object], most: int) -> None:
    if (rest := len(list(rows)) - most) > 0:
        table.add_row(f"and {rest} smaller ones (--all)")


def _short(name: str) -> str:
    """Returns the end of a name, which tells converters' names apart."""
    return name if len(name) <= _NAME_LENGTH else f"…{name[1 - _NAME_LENGTH :]}"


_NAME_LENGTH = 30
_MOST_FLIPS = 40
