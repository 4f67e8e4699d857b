"""Released models: what `litesmith models list | show | diff | rollback` find and do."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from components.common.documents.base import Document
from components.common.documents.dataset import SPLITS, DatasetManifest
from components.common.documents.decision import Decision
from components.common.documents.evaluation import Estimate, Evaluation, telling_metrics
from components.common.documents.release import Ancestry, BlessedPointer, Release
from components.common.errors import DamagedError, UserError, pass_over
from components.common.registry import Registry, model_names
from components.common.storage import Storage
from components.common.words.figures import (
    growth,
    milliseconds,
    or_dash,
    signed_points,
    size,
    spread,
)

D = TypeVar("D", bound=Document)

SHOWN_DIGITS = 12
"""Of a version in a table; commands take any beginning of one that no other version has."""


@dataclasses.dataclass(frozen=True)
class ListedVersion:
    """A row of `models list`."""

    release: Release
    blessed: bool


@dataclasses.dataclass(frozen=True)
class VersionDetails:
    """What `models show` shows."""

    release: Release
    blessed: bool
    uri: str
    manifest: DatasetManifest
    decision: Decision
    evaluation: Evaluation
    ancestry: Ancestry


@dataclasses.dataclass(frozen=True)
class Change:
    """A value that two versions have each their own of; None where one has none."""

    name: str
    before: str | None
    after: str | None
    difference: str = ""


@dataclasses.dataclass(frozen=True)
class VersionDiff:
    """What `models diff` shows.

    Attributes:
      figures: sizes, latency and metrics, equal ones included.
      recalls: recall of each class that either version knows and that changed.
      dataset: what differs in the data.
      config: what differs in the configuration of the stages that the models came from.
    """

    before: Release
    after: Release
    figures: tuple[Change, ...]
    recalls: tuple[Change, ...]
    dataset: tuple[Change, ...]
    config: tuple[Change, ...]


def open_model(registry: Storage, model_name: str | None = None) -> Registry:
    """Returns a model of a registry: the one that is named, or the only one.

    Raises:
      UserError: there is no such model, or several to choose from.
    """
    names = model_names(registry)
    if not names:
        raise UserError(f"{registry.root}: the registry holds no model yet")
    if model_name is None:
        if len(names) > 1:
            raise UserError(
                f"{registry.root}: holds several models; name one by --model: {', '.join(names)}"
            )
        model_name = names[0]
    if model_name not in names:
        raise UserError(
            f"{model_name}: {registry.root} has no such model (models: {', '.join(names)})"
        )
    return Registry(registry, model_name)


def list_versions(registry: Storage, model_name: str | None = None) -> tuple[ListedVersion, ...]:
    """Returns the versions of one model or of all, the oldest first."""
    names = model_names(registry) if model_name is None else (model_name,)
    return tuple(row for name in names for row in _versions(Registry(registry, name)))


def show_version(model: Registry, version: str | None = None) -> VersionDetails:
    """Returns a version's details; those of the blessed one where none is named.

    Raises:
      UserError: there is no such version, or nothing is blessed.
    """
    pointer, _ = model.blessed()
    if version is None and pointer is None:
        raise UserError(f"{model.model_name}: nothing is blessed; name a version")
    release = model.release(version or pointer.version)  # type: ignore[union-attr]
    return VersionDetails(
        release=release,
        blessed=pointer is not None and pointer.version == release.version,
        uri=model.uri(release.version),
        manifest=_read(model, release.version, DatasetManifest),
        decision=_read(model, release.version, Decision),
        evaluation=_read(model, release.version, Evaluation),
        ancestry=_read(model, release.version, Ancestry),
    )


def diff_versions(model: Registry, before: str, after: str) -> VersionDiff:
    """Compares two versions of a model.

    Raises:
      UserError: there is no such version.
    """
    one, other = show_version(model, before), show_version(model, after)
    return VersionDiff(
        before=one.release,
        after=other.release,
        figures=tuple(_figures(one.release, other.release)),
        recalls=tuple(_recalls(one.evaluation, other.evaluation)),
        dataset=_changes(_describe_data(one.manifest), _describe_data(other.manifest)),
        config=_changes(_describe_config(one.ancestry), _describe_config(other.ancestry)),
    )


def roll_back(model: Registry, version: str | None = None) -> BlessedPointer:
    """Blesses a version again: the one blessed before, where none is named.

    Raises:
      UserError: there is no such version, or none before, or its file is damaged.
    """
    return model.roll_back(version)


def _versions(model: Registry) -> Iterator[ListedVersion]:
    try:
        pointer, _ = model.blessed()
    except DamagedError as error:
        pass_over(error)
        pointer = None
    for release in model.releases():
        yield ListedVersion(release, pointer is not None and pointer.version == release.version)


def _read(model: Registry, version: str, document: type[D]) -> D:
    name = model.uri(version, document.file_name)
    try:
        return document.parse(model.read(version, document.file_name), name=name)
    except FileNotFoundError as error:
        raise DamagedError(f"{name}: is missing; restore it, or show another version") from error


def _figures(before: Release, after: Release) -> Iterator[Change]:
    yield Change("candidate", before.candidate_id, after.candidate_id)
    for name in ("size_bytes", "zipped_bytes"):
        one, other = getattr(before.model, name), getattr(after.model, name)
        yield Change(name.removesuffix("_bytes"), size(one), size(other), growth(one, other))
    # Of two sessions, perhaps of two machines: shown, but not divided.
    latencies = (or_dash(each.latency_ms, milliseconds) for each in (before, after))
    yield Change("p50", *latencies)
    told = (telling_metrics(each.metrics, len(each.class_names)) for each in (before, after))
    for name in dict.fromkeys(name for metrics in told for name in metrics):
        yield _estimates(name, before.metrics.get(name), after.metrics.get(name))


def _recalls(before: Evaluation, after: Evaluation) -> Iterator[Change]:
    one = {metrics.class_name: metrics.recall for metrics in before.per_class}
    other = {metrics.class_name: metrics.recall for metrics in after.per_class}
    for name in dict.fromkeys((*one, *other)):
        if one.get(name) != other.get(name):
            yield _estimates(name, one.get(name), other.get(name))


def _estimates(name: str, before: Estimate | None, after: Estimate | None) -> Change:
    difference = ""
    if before is not None and after is not None:
        change = after.value - before.value
        difference = f"{change:+.3f}" if name == "log_loss" else f"{signed_points(change)} points"
    return Change(name, _estimate(name, before), _estimate(name, after), difference)


def _estimate(name: str, estimate: Estimate | None) -> str | None:
    if estimate is None:
        return None
    return (
        f"{estimate.value:.3f}"
        if name == "log_loss"
        else spread(estimate.value, estimate.low, estimate.high)
    )


def _describe_data(manifest: DatasetManifest) -> Mapping[str, Any]:
    """Returns what tells one data set from another, by name."""
    values: dict[str, Any] = {
        "source fingerprint": manifest.source_fingerprint,
        "records": manifest.records,
        "examples": _flatten(manifest.spec),
    }
    for split in SPLITS:
        values[f"{split} examples"] = manifest.splits[split].examples
    for label, name in enumerate(manifest.class_names):
        values[f"{name}: training examples"] = manifest.splits["train"].examples_per_class[label]
    for reason, count in manifest.rejects.items():
        values[f"rejected: {reason}"] = count
    for kind, count in manifest.passed_over.items():
        values[f"passed over: {kind}"] = count
    return values


def _flatten(part: BaseModel) -> str:
    return json.dumps(part.model_dump(mode="json"), sort_keys=True)


def _describe_config(ancestry: Ancestry) -> Mapping[str, Any]:
    """Returns every value of the stages' configurations, and their code, by dotted name."""
    values: dict[str, Any] = {}
    for record in ancestry.records:
        values |= dict(_leaves(record.stage, record.config))
        values[f"{record.stage} code"] = record.code[:12]
        for library, version in record.libraries.items():
            values[f"{record.stage} {library}"] = version
    return values


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, member in value.items():
            yield from _leaves(f"{name}.{key}", member)
    else:
        yield name, value


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    return tuple(
        Change(name, _text(before, name), _text(after, name))
        for name in dict.fromkeys((*before, *after))
        if (name in before) != (name in after) or before[name] != after[name]
    )


def _text(values: Mapping[str, Any], name: str) -> str | None:
    if name not in values:
        return None
    value = values[name]
    return value if isinstance(value, str) else json.dumps(value)
