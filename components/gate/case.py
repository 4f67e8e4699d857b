"""What is decided upon: candidates, test split, budgets, and the blessed model."""

import dataclasses
from collections.abc import Mapping, Sequence

from components.common.documents.candidate import BASELINE_ID
from components.common.documents.decision import BlessedModel
from components.common.documents.models import Models
from components.gate.config import GateConfig
from components.gate.entrants import Correct, Entrant, TestSplit


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Blessed:
    """The blessed model on this run's test split.

    Attributes:
      model: what the registry's pointer says.
      correct: bool [n]; None where the two can't be compared.
      obstacle: why they can't.
      unseen: bool [n], the examples that its training has not seen; None for all.
    """

    model: BlessedModel
    correct: Correct | None
    obstacle: str = ""
    unseen: Correct | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """All that a decision depends on.

    Attributes:
      entrants: all candidates.
      models: which variants the candidates are of.
      split: the test split; None where nothing could be evaluated.
      budgets: what is asked.
      blessed: the blessed model, if there is one.
      withdrawn: the models that a rollback left: SHA-256 -> version.
    """

    entrants: Sequence[Entrant]
    models: Models
    split: TestSplit | None
    budgets: GateConfig
    blessed: Blessed | None = None
    withdrawn: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def alpha(self) -> float:
        return 1 - self.budgets.confidence

    @property
    def baseline(self) -> Entrant | None:
        """Float32, if it could be evaluated."""
        for entrant in self.entrants:
            if entrant.candidate_id == BASELINE_ID and entrant.correct is not None:
                return entrant
        return None

    def is_blessed(self, entrant: Entrant) -> bool:
        """Returns whether a candidate is the blessed model, byte for byte."""
        return (
            self.blessed is not None
            and entrant.measured_model.sha256 == self.blessed.model.model_sha256
        )
