"""TensorFlow Datasets' folders on disk, read without the library.

`dataset_info.json` names the splits and how many examples each shard has, `features.json` the
features and their kinds, and `label.labels.txt` the classes. The shards are TFRecord files.
"""

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from components.common.data.layout import stated_split
from components.common.errors import UserError
from components.common.words.figures import listing, shown
from components.preprocess.kinds import TFDSSource
from components.preprocess.layouts.layout import (
    MOST_INDEX_BYTES,
    Found,
    Labels,
    Source,
    choose_one,
    read_text,
)
from components.preprocess.layouts.tfrecords import Mapped, read_examples
from components.preprocess.lists import OPTIONAL
from components.preprocess.sources import SourceRecord

INFO, FEATURES = "dataset_info.json", "features.json"
_SAY = "data.source: {kind: tfds, features: {%s: NAME}}"
_NAMES = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
"""How shards are called, where a data set does not say otherwise."""


def list_records(source: Source, settings: TFDSSource) -> Found:
    """Lists the examples of all splits; see `layouts`."""
    _check_place(source)
    info, features = _read_json(source, INFO), _read_features(source)
    if (stored := info.get("fileFormat", "tfrecord")) != "tfrecord":
        raise UserError(
            f"{source.named(INFO)}: the examples are stored as {stored}; prepare the data set "
            "with file_format='tfrecord'"
        )
    what = "text" if source.task == "text" else "image"
    mapped = _map(features, info, settings, what, source.named(FEATURES))
    class_names = _read_class_names(source, mapped.label)
    records, left_out = list[SourceRecord](), list[str]()
    for name, lengths, template in _splits(info, source):
        split = stated_split(name)
        if split is None:
            left_out.append(name)
            continue
        for number, length in enumerate(lengths):
            path = _shard(source, info, name, template, number, len(lengths))
            excluded = sum(source.sieve.counts.values())
            found = list(read_examples(source, path, mapped, Labels(class_names), split=split))
            excluded = sum(source.sieve.counts.values()) - excluded
            if len(found) + excluded != length:
                raise UserError(
                    f"{source.named(path)}: holds {len(found)} examples, where {INFO} names "
                    f"{length}; it is not whole"
                )
            records += found
    remarks = (
        [f"{source.root}: {listing(left_out)} is no split for training or tests, and is left out"]
        if left_out
        else []
    )
    return Found(records, class_names=class_names or (), remarks=remarks)


def _check_place(source: Source) -> None:
    versions = [path for path in source.tree.files if path.endswith(f"/{INFO}")]
    if not source.holds(INFO) and versions:
        there = shown([path.removesuffix(f"/{INFO}") for path in versions])
        raise UserError(f"{source.root}: holds {there}; give the folder of one version")


def _splits(info: Mapping[str, Any], source: Source) -> list[tuple[str, list[int], str]]:
    """Returns name, lengths of the shards, and how these are called, of each split."""
    try:
        return [
            (
                str(split["name"]),
                [int(length) for length in split["shardLengths"]],
                str(split.get("filepathTemplate", _NAMES)),
            )
            for split in info["splits"]
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{source.named(INFO)}: does not say which splits there are") from error


def _shard(
    source: Source, info: Mapping[str, Any], split: str, template: str, number: int, count: int
) -> str:
    """Returns the file of a shard.

    Raises:
      UserError: it is missing.
    """
    path = template
    for name, value in (
        ("DATASET", str(info.get("name", ""))),
        ("SPLIT", split),
        ("FILEFORMAT", "tfrecord"),
        ("SHARD_X_OF_Y", f"{number:05d}-of-{count:05d}"),
        ("SHARD_INDEX", f"{number:05d}"),
        ("NUM_SHARDS", f"{count:05d}"),
    ):
        path = path.replace(f"{{{name}}}", value)
    if not source.holds(path):
        raise UserError(
            f"{source.named(path)}: is missing, though {INFO} names it; it is not whole"
        )
    return path


def _map(
    features: Mapping[str, Mapping[str, Any]],
    info: Mapping[str, Any],
    settings: TFDSSource,
    what: str,
    where: str,
) -> Mapped:
    stated, supervised = settings.features.stated(), _supervised(info)
    kind = {"image": "Image", "text": "Text"}[what]
    examples = _of_kind(features, kind)
    labels = _of_kind(features, "ClassLabel")
    others = {name: stated[name] for name in OPTIONAL if name in stated}
    example = stated.get(what) or choose_one(
        [each for each in supervised if each in examples] or examples,
        what=f"the {what}s",
        where=where,
        say=_SAY % what,
    )
    label = stated.get("label") or choose_one(
        [each for each in supervised if each in labels] or labels,
        what="the labels",
        where=where,
        say=_SAY % "label",
    )
    return Mapped(example, label, others)


def _supervised(info: Mapping[str, Any]) -> Sequence[str]:
    """Returns the features that the data set itself says are example and label."""
    try:
        items = info["supervisedKeys"]["tuple"]["items"]
        return [item["featureKey"] for item in items if "featureKey" in item]
    except (KeyError, TypeError):  # It need not say.
        return []


def _of_kind(features: Mapping[str, Mapping[str, Any]], kind: str) -> list[str]:
    named = {
        name: str(feature.get("pythonClassName") or feature.get("type", ""))
        for name, feature in features.items()
    }
    return [name for name, python in named.items() if python.rpartition(".")[2] == kind]


def _read_features(source: Source) -> Mapping[str, Mapping[str, Any]]:
    """Returns the features, of which three forms were written over the years."""
    values = _read_json(source, FEATURES)
    found = values.get("featuresDict", values.get("content", {}))
    if isinstance(found, str):
        found = _parse(found, source.named(FEATURES))
    found = found.get("features", found) if isinstance(found, dict) else {}
    known = found.items() if isinstance(found, dict) else ()
    return {name: feature for name, feature in known if isinstance(feature, dict)}


def _read_class_names(source: Source, label: str) -> tuple[str, ...] | None:
    name = f"{label}.labels.txt"
    if not source.holds(name):
        return None
    lines = read_text(io.BytesIO(source.read(name)), MOST_INDEX_BYTES, source.named(name))
    # As the library reads them: a name may hold what Unicode takes for the end of a line.
    return tuple(line.strip() for line in lines.split("\n") if line.strip())


def _read_json(source: Source, name: str) -> Mapping[str, Any]:
    return _parse(source.read(name), source.named(name))


def _parse(text: str | bytes, where: str) -> Mapping[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: not valid JSON: {error}") from error
    if not isinstance(values, dict):
        raise UserError(f"{where}: expected an object")
    return values
