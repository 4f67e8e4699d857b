"""Label Studio's JSON exports: a task for each example, a choice for each task.

Both forms are read: JSON, with `annotations` of which each has a `result`, and JSON-MIN, in which
the choice stands beside the data. Tasks without a choice are unlabelled; where annotators disagree,
an example comes with each label, and is left out as contradictory. A task's data may state split,
group and slice, as a list's columns do.
"""

import json
import posixpath
import re
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

from components.common.documents.dataset import TaskName
from components.common.errors import UserError
from components.preprocess.kinds import LabelStudioSource
from components.preprocess.layouts.layout import Found, Source, choose_one
from components.preprocess.lists import check_name, options_of
from components.preprocess.rows import HOLDS_TEXTS
from components.preprocess.sources import SourceRecord

_LOCAL = "/data/local-files/?d="
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")
_KEYS: Mapping[TaskName, tuple[str, ...]] = {"image": ("image", "img"), "text": ("text",)}


def list_records(source: Source, settings: LabelStudioSource) -> Found:
    """Lists the tasks of an export; see `layouts`."""
    name = posixpath.basename(settings.path)
    try:
        tasks = json.loads(source.read(name))
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{source.named(name)}: not valid JSON: {error}; name it .jsonl, where each of its "
            "lines is an object"
        ) from error
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise UserError(f"{source.named(name)}: expected a list of tasks, as Label Studio exports")
    records = [
        record
        for number, task in enumerate(tasks)
        for record in _records(source, name, number, task)
    ]
    if not any(record.label for record in records):
        raise UserError(
            f"{source.named(name)}: no task has a choice; only classifications are read, by "
            "<Choices>, which in JSON-MIN must be named choice or label: else export JSON"
        )
    return Found(records)


def _records(
    source: Source, name: str, number: int, task: Mapping[str, Any]
) -> Iterator[SourceRecord]:
    where = f"{source.named(name)}, task {task.get('id', number)}"
    data = task.get("data", task)
    key = _key(data, source.task, where)
    try:
        choices = _choices(task, where)
    except (AttributeError, TypeError) as error:
        raise UserError(f"{where}: its choice does not stand as Label Studio writes it") from error
    labels: list[str | None] = [check_name(choice, "choice", where) for choice in choices]
    said = options_of(data, where=where)
    for label in labels or [None]:
        if source.task == "text":
            yield SourceRecord(f"{name}, task {number}", label, text=str(data[key]), **said)
            continue
        path = _path(source, str(data[key]), where)
        if source.sieve.keeps_listed(path):
            yield SourceRecord(path, label, **said)


def _key(data: Any, task: TaskName, where: str) -> str:
    values = data if isinstance(data, dict) else {}
    texts = [key for key, value in values.items() if isinstance(value, str)]
    known = [key for key in texts if key in _KEYS[task]]
    if task == "image" and not known and "text" in texts:
        raise UserError(f"{where}: {HOLDS_TEXTS}")
    say = "name it so in the task, or, of no export, write an object a line to a .jsonl, as a list"
    return choose_one(known or texts, what=f"the {task}", where=where, say=say)


def _choices(task: Mapping[str, Any], where: str) -> list[str]:
    """Returns the choices of a task, each once; several where annotators disagree."""
    if "annotations" not in task:  # JSON-MIN.
        return _single(task.get("choice", task.get("label")), where)
    found: list[str] = []
    for annotation in task["annotations"] or ():
        if annotation.get("was_cancelled"):
            continue
        chosen = [
            choice
            for result in annotation.get("result", ())
            if result.get("type") == "choices"
            for choice in result.get("value", {}).get("choices", ())
        ]
        found += [choice for choice in _single(chosen, where) if choice not in found]
    return found


def _single(value: Any, where: str) -> list[str]:
    chosen = value.get("choices", ()) if isinstance(value, dict) else value
    if chosen is None:
        return []
    labels = list(chosen) if isinstance(chosen, list | tuple) else [chosen]
    if len(labels) > 1:
        raise UserError(
            f"{where}: has the choices {labels[0]!r} and {labels[1]!r}; a classifier gives each "
            "example one class: export a project whose <Choices> are single"
        )
    if labels and not isinstance(labels[0], str):
        raise UserError(f"{where}: the choice must be text, not {labels[0]!r}")
    return labels


def _path(source: Source, address: str, where: str) -> str:
    below = address.removeprefix(f"{source.root}/").removeprefix(_LOCAL)
    if "://" in below:
        raise UserError(
            f"{where}: {address} does not lie below {source.root}; copy the pictures beside the "
            "export"
        )
    path = source.find(urllib.parse.unquote(below))
    if source.holds(path):
        return path
    # Uploaded, it was given a name of its own before the one that it has here.
    original = source.find(_UPLOADED.sub("", posixpath.basename(path)))
    return original if source.holds(original) else path
