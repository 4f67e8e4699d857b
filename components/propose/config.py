"""What propose is told: how far to search, for what, and with which means."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from components.common.config import Section, StageConfig
from components.common.documents.candidate import CandidateSpec
from components.common.documents.dataset import TaskName
from components.common.documents.decision import Budgets


class SearchSettings(Section):
    """The recipe's `compress.search` section: how much may be spent on finding a smaller model."""

    time_limit_s: Annotated[float, Field(gt=0)]
    """Of training, over all trials: no trial is begun that would exceed it by what those before
    took. What the store answers counts with the time that it once took."""
    trials: Annotated[int, Field(ge=1, le=200)] = 24
    """At most so many variants are trained."""
    rounds: Annotated[int, Field(ge=1, le=12)] = 8
    """Of trials after that of the dense model; each learns from those before."""
    finalists: Annotated[int, Field(ge=1, le=5)] = 5
    """At most so many candidates go to the proof on the test split, beside float32."""
    epochs: Annotated[int, Field(ge=1)] = 10
    """Of a whole training; a brief one, which tells what is worth it, takes a third."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Of every training."""


class ProposeConfig(StageConfig):
    """All that a search goes by, beside what its trials came to."""

    filled_in: ClassVar[frozenset[str]] = frozenset(
        {"task", "budgets", "steps", "dense", "compressed"}
    )

    search: SearchSettings | None = None
    task: TaskName = "image"
    budgets: Budgets = Budgets()
    steps: Mapping[str, Mapping[str, Any]] = {}
    """Each compression step that there is, and what the recipe tells it however strong it is."""
    dense: tuple[CandidateSpec, ...] = ()
    """The candidates of the dense model."""
    compressed: tuple[CandidateSpec, ...] = ()
    """Those of every other variant, which takes the place of the dense one in them."""

    @property
    def searching(self) -> SearchSettings:
        """What a search may spend; only of a recipe that searches."""
        assert self.search is not None, "the recipe searches"
        return self.search
