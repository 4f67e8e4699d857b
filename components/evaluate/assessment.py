"""An evaluation's figures, from predictions alone."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from components.common.data.predictions import Predictions
from components.common.documents.evaluation import (
    ClassMetrics,
    Estimate,
    KerasAgreement,
    SliceMetrics,
)
from components.common.statistics.metrics import (
    Labels,
    bootstrap_estimates,
    confusion_matrix,
    in_top,
    predicted_classes,
    share_estimate,
)


def assess_metrics(
    predictions: Predictions, *, calibration_bins: int, resamples: int
) -> Mapping[str, Estimate]:
    """Returns accuracy, top5_accuracy, macro_f1, log_loss and calibration_error."""
    probabilities, labels = predictions.probabilities, predictions.labels
    examples = len(predictions)
    shares = {
        name: share_estimate(int(in_top(probabilities, labels, k).sum()), examples)
        for name, k in (("accuracy", 1), ("top5_accuracy", 5))
    }
    return shares | bootstrap_estimates(
        probabilities, labels, calibration_bins=calibration_bins, resamples=resamples
    )


def assess_confusion(predictions: Predictions) -> Labels:
    """Returns int64 [true class, predicted class]."""
    predicted = predicted_classes(predictions.probabilities)
    return confusion_matrix(predictions.labels, predicted, predictions.probabilities.shape[1])


def assess_classes(confusion: Labels, class_names: Sequence[str]) -> Iterator[ClassMetrics]:
    """Yields the figures of each class; 0 where a class has no example or no prediction."""
    for index, name in enumerate(class_names):
        hits = int(confusion[index, index])
        examples, predicted = int(confusion[index].sum()), int(confusion[:, index].sum())
        yield ClassMetrics(
            class_name=name,
            examples=examples,
            recall=share_estimate(hits, examples),
            precision=hits / max(predicted, 1),
            f1=2 * hits / max(examples + predicted, 1),
        )


def assess_slices(predictions: Predictions) -> Iterator[SliceMetrics]:
    """Yields the accuracy of each slice, by name; examples in no slice are left out."""
    right = predicted_classes(predictions.probabilities) == predictions.labels
    for name in np.unique(predictions.slices):
        if name:
            own = right[predictions.slices == name]
            yield SliceMetrics(
                slice_name=name.decode(),
                examples=len(own),
                accuracy=share_estimate(int(own.sum()), len(own)),
            )


def assess_sizes(
    predictions: Predictions, sizes: Sequence[int], names: Sequence[str]
) -> Iterator[SliceMetrics]:
    """Yields the accuracy of each size that some example has, the smallest first.

    Args:
      predictions: of all examples.
      sizes: of each of them, an index into the names.
      names: of the sizes; none where all examples are alike.
    """
    right, own = predicted_classes(predictions.probabilities) == predictions.labels, np.array(sizes)
    for size, name in enumerate(names):
        if examples := int((own == size).sum()):
            yield SliceMetrics(
                slice_name=name,
                examples=examples,
                accuracy=share_estimate(int(right[own == size].sum()), examples),
            )


def compare_with_keras(predictions: Predictions, keras: Predictions) -> KerasAgreement:
    """Compares with the trained model's own predictions, example by example.

    Raises:
      ValueError: the two are not about the same examples.
    """
    own, other = predictions.probabilities, keras.in_order_of(predictions).probabilities
    return KerasAgreement(
        same_prediction=float(np.mean(predicted_classes(own) == predicted_classes(other))),
        largest_difference=float(np.abs(own - other).max()),
    )
