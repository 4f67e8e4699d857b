"""The candidates as the gate sees them: figures, and which test examples each gets right."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.common.data.predictions import Predictions, read_evaluation_predictions
from components.common.documents.candidate import TFLiteModel
from components.common.documents.evaluation import Estimate, Evaluation
from components.common.documents.measured import (
    MeasuredCandidate,
    folders_by_id,
    read_candidates,
)
from components.common.lite.file_steps import label_step
from components.common.statistics.metrics import predicted_classes

Correct = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TestSplit:
    """The test examples, in one order for all models.

    Attributes:
      class_names: by label.
      labels: int64 [n].
      slices: bytes [n], empty where an example belongs to none.
    """

    __test__ = False  # No test case, though pytest would take it for one by its name.

    class_names: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    slices: npt.NDArray[np.bytes_]

    @property
    def examples(self) -> int:
        return len(self.labels)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Entrant:
    """One candidate.

    Attributes:
      scheme: the kind of its quantization scheme.
      file_steps: what was done to its file, in order, by the names that ids have for it.
      finalist: whether it was handed to the proof; one that was not has a failure.
      failure: why it could not be made or evaluated; then the fields below are None.
      training_faults: what is wrong with the training of the model that it was made from.
      latency_ms: p50 at one thread in this run's benchmark, None where it is missing.
      correct: bool [n], aligned with the TestSplit.
    """

    candidate_id: str
    variant: str
    scheme: str
    failure: str | None
    file_steps: tuple[str, ...] = ()
    finalist: bool = True
    model: TFLiteModel | None = None
    accuracy: Estimate | None = None
    latency_ms: float | None = None
    correct: Correct | None = None
    training_faults: tuple[str, ...] = ()

    @property
    def measured_model(self) -> TFLiteModel:
        assert self.model is not None, f"{self.candidate_id} has no model"
        return self.model

    @property
    def measured_accuracy(self) -> Estimate:
        assert self.accuracy is not None, f"{self.candidate_id} was not evaluated"
        return self.accuracy

    @property
    def outcomes(self) -> Correct:
        assert self.correct is not None, f"{self.candidate_id} was not evaluated"
        return self.correct


def read_entrants(
    candidates: Sequence[Path], evaluations: Sequence[Path], benchmark: Path
) -> tuple[tuple[Entrant, ...], Predictions | None]:
    """Joins candidates, evaluations and latencies by id.

    Returns:
      The entrants, float32 first and the others by id, and the predictions whose order of
      examples all `correct` arrays follow; None where nothing could be evaluated.

    Raises:
      ValueError: the evaluations are not those of the finalists, or not of one test split.
    """
    measured = read_candidates(candidates, evaluations, benchmark)
    folders = folders_by_id(Evaluation, evaluations)
    order: Predictions | None = None
    entrants = []
    for id_, one in measured.items():
        correct = None
        if one.failure is None:
            predictions = read_evaluation_predictions(folders[id_])
            order = predictions if order is None else order
            correct = align_correct(predictions, order)
        entrants.append(_enter(one, correct))
    return tuple(entrants), order


def _enter(measured: MeasuredCandidate, correct: Correct | None) -> Entrant:
    candidate = measured.candidate
    return Entrant(
        candidate_id=candidate.candidate_id,
        variant=candidate.variant,
        scheme=candidate.scheme.kind,
        file_steps=tuple(map(label_step, candidate.file_steps)),
        failure=measured.failure,
        finalist=measured.finalist,
        model=candidate.model,
        accuracy=measured.accuracy,
        latency_ms=measured.latency_ms,
        correct=correct,
        training_faults=candidate.training_faults,
    )


def align_correct(predictions: Predictions, order: Predictions) -> Correct:
    """Returns which examples are predicted right, in another set's order of examples.

    Raises:
      ValueError: the two are not of the same examples.
    """
    aligned = predictions.in_order_of(order)
    correct: Correct = predicted_classes(aligned.probabilities) == aligned.labels
    return correct
