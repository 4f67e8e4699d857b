"""All stages, in the DAG's order.

A stage is a package below `components`. It has a task of its own in the DAG, except that the
stages of one candidate share one. In a search those of one variant share the task RUNG.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Literal

from components.benchmark.config import BenchmarkConfig
from components.common.config import StageConfig
from components.compress.config import CompressConfig
from components.evaluate.config import EvaluateConfig
from components.finetune.config import FinetuneConfig
from components.gate.config import GateConfig
from components.notify.config import NotifyConfig
from components.preprocess.config import PreprocessConfig
from components.propose.config import ProposeConfig
from components.publish.config import PublishConfig
from components.quantize.config import QuantizeConfig
from components.report.config import ReportConfig
from components.validate.config import ValidateConfig

Per = Literal["run", "variant", "round", "candidate"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StageEntry:
    """What is known of a stage without loading it.

    Attributes:
      name: its package's, which stands in keys, records and events.
      config: what it is told.
      section: the recipe's field that says it; None where a recipe has none.
      trains: whether several workers can compute it together.
      per: what has a task of its own: a run, each compressed variant, each round of a search, or
        each candidate.
    """

    name: str
    config: type[StageConfig]
    section: str | None
    trains: bool = False
    per: Per = "run"

    @property
    def task(self) -> str:
        """The DAG's task that it runs in; the stages of one candidate share one."""
        return "candidate" if self.per == "candidate" else self.name


STAGES = (
    StageEntry(name="preprocess", config=PreprocessConfig, section="data"),
    StageEntry(name="validate", config=ValidateConfig, section="validation"),
    StageEntry(name="finetune", config=FinetuneConfig, section="train", trains=True),
    StageEntry(name="compress", config=CompressConfig, section=None, trains=True, per="variant"),
    StageEntry(name="propose", config=ProposeConfig, section=None, per="round"),
    StageEntry(name="quantize", config=QuantizeConfig, section="quantize", per="candidate"),
    StageEntry(name="evaluate", config=EvaluateConfig, section="evaluate", per="candidate"),
    StageEntry(name="benchmark", config=BenchmarkConfig, section="benchmark"),
    StageEntry(name="gate", config=GateConfig, section="budgets"),
    StageEntry(name="report", config=ReportConfig, section="report"),
    StageEntry(name="publish", config=PublishConfig, section=None),
    StageEntry(name="notify", config=NotifyConfig, section="notify"),
)
RUNG = "rung"
"""The task that makes a variant which a search asks for: it composes compress, quantize and
evaluate."""


def _tasks() -> Iterator[str]:
    for task in dict.fromkeys(stage.task for stage in STAGES):
        if task == "candidate":
            yield RUNG
        yield task


TASKS = tuple(_tasks())
"""The tasks of the DAG, of whatever shape."""
TRAINING_STAGES = tuple(stage.name for stage in STAGES if stage.trains)
CANDIDATE_STAGES = tuple(stage.name for stage in STAGES if stage.per == "candidate")
_RUNG_STAGES = tuple(stage.name for stage in STAGES if stage.per in ("variant", "candidate"))
_TASK_OF: Mapping[str, str] = {stage.name: stage.task for stage in STAGES}
_LAST_OF: Mapping[str, str] = {stage.task: stage.name for stage in STAGES}
_PLACES: Mapping[str, int] = {stage.name: place for place, stage in enumerate(STAGES)}


def task_of(stage: str) -> str:
    """Returns the task that a stage runs in; a name that is no stage's stays as it is."""
    return _TASK_OF.get(stage, stage)


def tasks_with(name: str) -> tuple[str, ...]:
    """Returns the tasks that do a stage's work, or that a task's name means.

    Of a variant or a candidate that a search tries, the rung does it.
    """
    task = task_of(name)
    return (task, RUNG) if name in _RUNG_STAGES or task == "candidate" else (task,)


def place_of(name: str) -> tuple[int, int]:
    """Returns what sorts stages and tasks as the DAG runs them; what is neither comes last.

    Returns:
      The place of the task, and that of the stage.
    """
    task = task_of(name)
    return TASKS.index(task) if task in TASKS else len(TASKS), _PLACES.get(name, len(STAGES))


def ends_task(stage: str) -> bool:
    """Whether a stage's end is that of its task."""
    return _LAST_OF.get(task_of(stage), stage) == stage
