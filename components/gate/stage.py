"""gate: chooses the smallest candidate that meets every budget, or none.

The blessed model changes outside the run, so the decision never comes from the store.
"""

import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from components.common.errors import DamagedError
from components.common.run_context import RunContext
from components.common.shell.results import best_effort
from components.common.shell.stage import Stage, Task
from components.common.words.terminal import say
from components.gate.config import GateConfig

if TYPE_CHECKING:
    from components.common.data.examples import Labelled
    from components.common.documents.dataset import DatasetManifest
    from components.gate.case import Case


def _compute(task: Task[GateConfig]) -> Mapping[str, float]:
    from components.common.documents.decision import Decision
    from components.gate.decisions import decide

    decision = decide(_read_case(task), lineage=task.lineage)
    decision.write(task.output)
    task.context.data().write(
        f"{task.context.run_folder()}/{Decision.file_name}", decision.to_json().encode() + b"\n"
    )
    say(decision.summary)
    return {}


def _read_case(task: Task[GateConfig]) -> "Case":
    from components.common.data.membership import Membership
    from components.common.documents.dataset import DatasetManifest
    from components.common.documents.models import Models
    from components.common.registry import Registry
    from components.gate.blessed import find_blessed, find_withdrawn, judge_blessed
    from components.gate.case import Case
    from components.gate.entrants import TestSplit, read_entrants

    manifest = DatasetManifest.read(task.inputs["dataset"])
    entrants, order = read_entrants(
        task.inputs["candidates"], task.inputs["evaluations"], task.inputs["benchmark"]
    )
    registry = Registry(task.context.models(), task.config.model_name)
    model = find_blessed(registry)
    blessed = None
    if model is not None:
        examples = _test_examples(task, manifest)
        blessed = judge_blessed(
            model,
            registry,
            manifest,
            Membership.read(task.inputs["dataset"]),
            entrants=entrants,
            examples=examples,
            order=order,
            recall=functools.partial(_recall, task.context),
            keep=functools.partial(_keep, task.context),
        )
    split = None
    if order is not None:
        split = TestSplit(
            class_names=manifest.class_names, labels=order.labels, slices=order.slices
        )
    return Case(
        entrants=entrants,
        models=Models.read(task.inputs["models"]),
        split=split,
        budgets=task.config,
        blessed=blessed,
        withdrawn=find_withdrawn(registry),
    )


_MOST_BYTES = 1 << 30
"""Of the blessed model's answers."""


def _recall(run: RunContext, name: str) -> bytes:
    if run.fresh:
        return b""
    try:
        return run.data().read(name, max_bytes=_MOST_BYTES)
    except (FileNotFoundError, DamagedError):
        return b""


def _keep(run: RunContext, name: str, data: bytes) -> None:
    with best_effort():
        run.data().write(name, data)


def _test_examples(task: Task[GateConfig], manifest: "DatasetManifest") -> "Iterator[Labelled]":
    from components.common.tasks.reading import read_examples
    from components.common.tasks.sources import sources_of

    return task.events.track(
        read_examples(manifest, "test", task.context.data()),
        sources_of(manifest.task).EXAMPLES,
        total=manifest.splits["test"].examples,
    )


STAGE = Stage(name="gate", config=GateConfig, output="decision", compute=_compute, reuse=False)
