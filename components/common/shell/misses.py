"""Why a task was computed, not answered from the store: what differs from the run before.

The store finds a computation by its key, which does not say what it was made of. Records do. So
each task leaves its record under `latest/<recipe>/<task>.json`, where the same task of the
recipe's next run finds it, and a miss is explained by what differs between the two.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from components.common.documents.record import Record
from components.common.errors import DamagedError
from components.common.run_context import RunContext
from components.common.words.figures import shown

_MOST_VALUES = 5  # That are named of a configuration.
_VALUE_CHARACTERS = 60
_REASON_CHARACTERS = 1000


def recall_record(run: RunContext, task: str) -> Record | None:
    """Returns the task's record of the recipe's run before, whether that computed it or not."""
    try:
        return Record.parse(run.data().read(_name(run, task)))
    except (FileNotFoundError, DamagedError):
        return None


def leave_record(run: RunContext, task: str, record: Record) -> None:
    """Leaves a record for the recipe's next run."""
    run.data().write(_name(run, task), record.to_json().encode())


def explain_miss(record: Record, before: Record | None, *, locations: Collection[str] = ()) -> str:
    """Returns what a computation was made of that the one before was not, in words.

    Args:
      record: of the computation.
      before: of the one before.
      locations: names of values that say where something is, and enter no key.

    Returns:
      Such as `epochs is 5, was 3`; nothing where there was none before.
    """
    if before is None:
        return ""
    if before.key == record.key:
        return "what the store held of it is gone or damaged"
    reason = "; ".join(_differences(record, before, locations)) or "its code changed"
    return _cut(reason, _REASON_CHARACTERS)


def _differences(record: Record, before: Record, locations: Collection[str]) -> Iterator[str]:
    modules = _changed(record.modules, before.modules) if before.modules else []
    if modules:
        yield f"{shown(modules)} changed"
    values, values_before = (
        dict(_leaves({name: value for name, value in config.items() if name not in locations}))
        for config in (record.config, before.config)
    )
    changed = _changed(values, values_before)
    for name in changed[:_MOST_VALUES]:
        value, was = (repr(leaves.get(name)) for leaves in (values, values_before))
        yield f"{name} is {_cut(value, _VALUE_CHARACTERS)}, was {_cut(was, _VALUE_CHARACTERS)}"
    if len(changed) > _MOST_VALUES:
        yield f"{len(changed) - _MOST_VALUES} more values changed"
    if record.inputs != before.inputs:
        yield "what it reads changed"
    yield from (f"{name} changed" for name in _changed(record.identity, before.identity))


def _changed(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Returns the names of what differs."""
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields every single value of nested ones, such as `augment.flip` or `steps.0.kind`."""
    for name, value in values.items():
        if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            value = {str(number): item for number, item in enumerate(value)}
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 4]} ..."


def _name(run: RunContext, task: str) -> str:
    return f"latest/{run.recipe_name}/{task}.json"
