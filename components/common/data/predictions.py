"""What a model predicted for each example: `predictions.npz`, read and written.

Two sets of predictions are joined by example id, never by position.
"""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.data.arrays import read_arrays, write_arrays

FILE_NAME = "predictions.npz"


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
    """Aligned arrays over n examples.

    Attributes:
      ids: bytes [n], unique.
      labels: int64 [n], in [0, classes).
      probabilities: float32 [n, classes].
      slices: bytes [n], empty where an example belongs to none.
    """

    ids: npt.NDArray[np.bytes_]
    labels: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]
    slices: npt.NDArray[np.bytes_]

    def __len__(self) -> int:
        return len(self.ids)

    def in_order_of(self, other: "Predictions") -> "Predictions":
        """Returns the same predictions in the order in which another set has the examples.

        Raises:
          ValueError: the two are not of the same examples.
        """
        own_at, other_at = join_by_id(self, other)
        if not len(own_at) == len(self) == len(other):
            raise ValueError(
                f"predictions of {len(self)} and {len(other)} examples share {len(own_at)}: they "
                "are not of one test split"
            )
        order = own_at[np.argsort(other_at)]
        return Predictions(
            ids=self.ids[order],
            labels=self.labels[order],
            probabilities=self.probabilities[order],
            slices=self.slices[order],
        )


def make_predictions(
    ids: Iterable[str],
    labels: Iterable[int],
    probabilities: npt.NDArray[np.floating[Any]],
    slices: Iterable[str] | None = None,
) -> Predictions:
    """Returns predictions in the types in which they are kept."""
    names = np.array([id_.encode() for id_ in ids], dtype=np.bytes_)
    belongs = [b""] * len(names) if slices is None else [slice_.encode() for slice_ in slices]
    return Predictions(
        ids=names,
        labels=np.array(list(labels), dtype=np.int64),
        probabilities=np.asarray(probabilities, dtype=np.float32),
        slices=np.array(belongs, dtype=np.bytes_),
    )


def write_evaluation_predictions(directory: Path, predictions: Predictions) -> None:
    """Writes an evaluation's `predictions.npz`."""
    write_arrays(
        directory / FILE_NAME,
        {
            "ids": predictions.ids,
            "labels": predictions.labels,
            "probabilities": predictions.probabilities,
            "slices": predictions.slices,
        },
    )


def read_evaluation_predictions(directory: Path) -> Predictions:
    """Reads what `write_evaluation_predictions` wrote."""
    return Predictions(**read_arrays(directory / FILE_NAME))


def read_bundle_predictions(directory: Path, split: str) -> Predictions:
    """Reads one split of a model bundle's `predictions.npz`; the slices are empty."""
    arrays = read_arrays(directory / FILE_NAME)
    ids = arrays[f"{split}_ids"]
    return Predictions(
        ids=ids,
        labels=arrays[f"{split}_labels"],
        probabilities=arrays[f"{split}_probabilities"],
        slices=np.zeros(len(ids), dtype=np.bytes_),
    )


def join_by_id(left: Predictions, right: Predictions) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Returns the positions in left and in right of the examples that both hold."""
    _, left_at, right_at = np.intersect1d(
        left.ids, right.ids, assume_unique=True, return_indices=True
    )
    return left_at, right_at
