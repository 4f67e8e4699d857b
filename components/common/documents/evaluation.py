"""How good a candidate is, which evaluate writes."""

from collections.abc import Mapping
from typing import ClassVar

from components.common.documents.base import Document, Lineage, Part, Share
from components.common.documents.dataset import Split


class Estimate(Part):
    """A metric with its 95 % confidence interval."""

    value: float
    low: float
    high: float


def telling_metrics(metrics: Mapping[str, Estimate], classes: int) -> Mapping[str, Estimate]:
    """Returns those that tell one model from another: of five classes the five first are all."""
    return {
        name: estimate
        for name, estimate in metrics.items()
        if classes > 5 or name != "top5_accuracy"
    }


class ClassMetrics(Part):
    class_name: str
    examples: int
    recall: Estimate
    """The class's own accuracy."""
    precision: float
    f1: float


class SliceMetrics(Part):
    slice_name: str
    examples: int
    accuracy: Estimate


class Threshold(Part):
    """A score below which a model answers `unknown`, and what comes of it.

    It was chosen on the validation split, by the probabilities of the model in Keras there.
    """

    score: Share
    chosen: bool
    """Whether it is the one for the accuracy that the recipe asks of answers."""
    validation_coverage: Share
    """Of the validation examples, those that are answered."""
    validation_accuracy: Share | None
    """Of these, those that are answered right; None where there are none."""
    coverage: Share
    """Of the test examples."""
    accuracy: Estimate
    """Of those that are answered."""


class DoubtfulLabel(Part):
    """A validation example that confidently looks like another class than its own."""

    id: str
    label: int
    likely: int
    """The class that it looks like."""
    label_probability: Share
    likely_probability: Share


class DoubtfulLabels(Part):
    """What the model in Keras says of the labels of examples that it did not learn from."""

    examples: int
    """How many are doubtful, of all of the validation split."""
    shown: tuple[DoubtfulLabel, ...]
    """The most doubtful, these first."""


class KerasAgreement(Part):
    """The `.tflite` against the predictions stored in the bundle, on the same examples."""

    same_prediction: Share
    largest_difference: float
    """Of any probability."""


class Evaluation(Document):
    """A candidate on one split, in LiteRT.

    `predictions.npz` beside it: `ids` (bytes [n]), `labels` (int64 [n]), `probabilities`
    (float32 [n, classes]), `slices` (bytes [n], empty where the example has none).
    """

    file_name: ClassVar[str] = "evaluation.json"

    candidate_id: str
    split: Split
    """On validation, candidates may be ranked; only what is on test proves anything."""
    failure: str | None
    """Why there are no metrics: the candidate's own failure, or LiteRT's."""
    examples: int
    metrics: Mapping[str, Estimate]
    """accuracy, top5_accuracy, macro_f1, log_loss, calibration_error."""
    per_class: tuple[ClassMetrics, ...]
    per_slice: tuple[SliceMetrics, ...]
    per_size: tuple[SliceMetrics, ...] = ()
    """Of each size that the examples have, the smallest first; empty where all have one."""
    confusion: tuple[tuple[int, ...], ...]
    """[true class][predicted class] -> examples."""
    keras: KerasAgreement | None
    thresholds: tuple[Threshold, ...] = ()
    """On test alone, the lowest score first."""
    doubtful: DoubtfulLabels | None = None
    """Told with the baseline on test alone: it is of the data, not of a candidate."""
    lineage: Lineage
