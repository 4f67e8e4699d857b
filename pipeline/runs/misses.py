"""Why tasks were computed, not answered from the store: what differs from the run before.

The store finds a computation by its key, which does not say what it was made of. The records of
two runs do: so each task is compared with the same one of the latest earlier run that has it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from components.common.documents.record import Record, TaskResult
from components.common.words.figures import shown
from components.finetune.config import FinetuneConfig
from components.preprocess.config import PreprocessConfig

_LOCATIONS = PreprocessConfig.locations | FinetuneConfig.locations


def explain_misses(
    tasks: Sequence[TaskResult], earlier: Iterable[Sequence[TaskResult]]
) -> Iterator[tuple[str, str]]:
    """Yields task and reason for each task that other code, values or inputs had computed before.

    Args:
      tasks: of the run.
      earlier: the tasks of the runs before it, the latest first; read until all are found.
    """
    computed = {
        task.task: task.record for task in tasks if task.status == "computed" and task.record
    }
    before: dict[str, Record] = {}
    for results in earlier if computed else ():
        for result in results:
            if result.task in computed and result.record is not None:
                before.setdefault(result.task, result.record)
        if len(before) == len(computed):
            break
    for task, record in computed.items():
        if task in before and before[task].key != record.key:
            yield task, "; ".join(_differences(record, before[task])) or "its code changed"


def _differences(record: Record, before: Record) -> Iterator[str]:
    """Yields what differs of the things that a key is made of, in words."""
    modules = _changed(record.modules, before.modules) if before.modules else []
    if modules:
        yield f"{shown(modules)} changed"
    yield from (
        f"{name} is {record.config.get(name)!r}, was {before.config.get(name)!r}"
        for name in _changed(record.config, before.config)
        if name not in _LOCATIONS
    )
    if record.inputs != before.inputs:
        yield "what it reads changed"
    yield from (f"{name} changed" for name in _changed(record.identity, before.identity))


def _changed(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Returns the names of what differs."""
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
