"""What all kinds of targets state.

A recipe says what is computed and bears identity; a target never does. Another cluster,
image, machine or bucket leaves every stage's configuration and key as it was: the target
shapes the compiled DAG, and what tasks must know of it travels in the RunContext.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from components.common.config import Section
from components.common.errors import UserError
from components.common.run_context import RunContext
from pipeline.recipe import Recipe, stated_locations, with_location
from pipeline.stages import CANDIDATE_STAGES, TASKS, TRAINING_STAGES, task_of
from pipeline.target.machine import Machine


def _is_a_task(name: str) -> str:
    if name in CANDIDATE_STAGES:
        raise ValueError(f"{name} runs in the task {task_of(name)}; give that one the machine")
    return name


if TYPE_CHECKING:
    TaskName = str
else:  # A type checker can't read the names off a table; the schema must.
    TaskName = Annotated[Literal[TASKS], BeforeValidator(_is_a_task)]


class Images(Section):
    """The container image of each dependency set, best pinned by digest."""

    beam: str
    train: str
    lite: str


class Beam(Section):
    """Who makes the shards: a runner's workers, or else the processes of preprocess's own pod."""

    runner: Literal["FlinkRunner", "SparkRunner", "DataflowRunner", "PrismRunner"] | None = None
    """PrismRunner is a program of its own, which `--prism_location` names: one in preprocess's
    image, or Beam downloads it."""
    options: tuple[Annotated[str, Field(pattern=r"^--")], ...] = ()
    """Further pipeline options, such as `--parallelism=8`."""

    @model_validator(mode="after")
    def _options_have_a_runner(self) -> Self:
        if self.options and self.runner is None:
            raise ValueError("options: are a runner's; name it, as in `runner: FlinkRunner`")
        return self

    def arguments(self) -> tuple[str, ...]:
        return () if self.runner is None else (f"--runner={self.runner}", *self.options)


class BaseTarget(Section):
    """What all kinds of targets state."""

    images: Images
    pipeline_root: str | None = None
    """Where KFP keeps artifacts; the server's default where not stated."""
    data_root: str
    """Holds store, shards and runs: gs://, or a path on a mounted volume."""
    registry: str
    """Holds the published models: likewise."""
    service_account: str | None = None
    """As which tasks run."""
    machine: Machine = Machine()
    """What every stage runs on."""
    stages: Mapping[TaskName, Machine] = {}
    """What single stages have different."""
    parallel_candidates: Annotated[int, Field(ge=1, le=100)] = 2
    """How many candidates are converted and measured at once, each in a task of its own."""
    beam: Beam = Beam()
    labels: Mapping[str, str] = {}
    """Put on every pod, or on the Vertex job."""
    paths: Mapping[str, str] = {}
    """Path that a recipe may state -> where the cluster finds the same: prefixes, the
    longest first. A relative path starts at the target's own file."""

    def machine_of(self, stage: str) -> Machine:
        own = self.stages.get(stage)
        return self.machine if own is None else self.machine.with_changes(own)

    def image_of(self, base_image: str) -> str:
        """Returns the image for a component's base image, `litesmith-train` and its like."""
        return str(getattr(self.images, base_image.removeprefix("litesmith-")))

    def is_reachable(self, location: str) -> bool:
        """Whether tasks can read a location as it stands."""
        return location.startswith("gs://")

    def context(self, run_id: str, recipe: Recipe, **window: Any) -> RunContext:
        """Returns the context of a run here.

        Args:
          run_id: names the run.
          recipe: what is run.
          window: the RunContext's window fields, where the run sees a window of the data.
        """
        return RunContext(
            run_id=run_id,
            recipe_name=recipe.name,
            data_root=self.data_root,
            registry=self.registry,
            beam_options=self.beam.arguments(),
            **window,
        )

    def located(self, recipe: Recipe) -> Recipe:
        """Returns the recipe with every location as the tasks will find it.

        Only locations change, and they bear no identity: the content behind them does.

        Raises:
          UserError: a location exists on this machine alone.
        """
        sections: dict[str, Section] = {}
        for section, key, location in stated_locations(recipe):
            config = sections.get(section, getattr(recipe, section))
            mapped = self._located(f"{section}.{key}", location)
            sections[section] = with_location(config, key, mapped)
        return recipe.model_copy(update=sections)

    def _located(self, key: str, location: str) -> str:
        if self.is_reachable(location):
            return location
        for prefix in sorted(self.paths, key=len, reverse=True):
            rest = below(location, prefix)
            if rest is not None:
                return f"{self.paths[prefix].rstrip('/')}/{rest}".rstrip("/")
        raise UserError(
            f"{key}: {location} is a path of this machine, which the target's tasks can't "
            "reach; copy the data to a bucket or a mounted volume and give that address, or "
            f"map the path in the target, such as `paths: {{{location}: gs://BUCKET/FOLDER}}`"
        )


def refuse_workers_beside_training(target: BaseTarget) -> None:
    """Refuses, for validators, `workers` where one pod computes."""
    others = [name for name in target.stages if name not in TRAINING_STAGES]
    wrong = next((name for name in others if target.stages[name].workers > 1), None)
    if target.machine.workers > 1:
        raise ValueError("machine.workers: belongs to a stage: `stages: {finetune: {workers: 4}}`")
    if wrong is not None:
        training = " and ".join(TRAINING_STAGES)
        raise ValueError(
            f"stages.{wrong}.workers: {wrong} runs in one pod; {training} take workers"
        )


def below(location: str, prefix: str) -> str | None:
    """Returns a path relative to a prefix, None where it does not lie below it."""
    try:
        rest = PurePosixPath(location).relative_to(prefix)
    except ValueError:
        return None
    return "" if rest == PurePosixPath(".") else str(rest)
