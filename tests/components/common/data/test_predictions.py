"""Prediction files: the same bytes for the same arrays, and never a pickle."""

from pathlib import Path

import numpy as np
import pytest

from components.common.data.predictions import (
    join_by_id,
    make_predictions,
    read_arrays,
    read_bundle_predictions,
    read_evaluation_predictions,
    write_arrays,
    write_evaluation_predictions,
)
from components.common.digests import file_digest
from components.common.errors import DamagedError

PREDICTIONS = make_predictions(
    ["b", "a", "longer"], [1, 0, 1], np.array([[0.2, 0.8], [0.9, 0.1], [0.5, 0.5]]), ["x", "", "x"]
)


def test_an_evaluations_predictions_come_back_as_they_were(tmp_path: Path) -> None:
    write_evaluation_predictions(tmp_path, PREDICTIONS)
    read = read_evaluation_predictions(tmp_path)
    for name, dtype in (
        ("ids", "S6"),
        ("labels", "int64"),
        ("probabilities", "float32"),
        ("slices", "S1"),
    ):
        written, back = getattr(PREDICTIONS, name), getattr(read, name)
        np.testing.assert_array_equal(written, back)
        assert back.dtype == np.dtype(dtype)


def test_bytes_depend_on_the_arrays_alone(tmp_path: Path) -> None:
    arrays = {"one": np.arange(5), "two": np.zeros((2, 3), np.float32)}
    write_arrays(tmp_path / "first.npz", arrays)
    write_arrays(tmp_path / "second.npz", dict(reversed(arrays.items())))
    assert file_digest(tmp_path / "first.npz") == file_digest(tmp_path / "second.npz")


def test_a_bundles_splits_are_read_apart(tmp_path: Path) -> None:
    arrays = {
        f"{split}_{name}": getattr(PREDICTIONS, name)[rows]
        for split, rows in (("validation", slice(2)), ("test", slice(2, 3)))
        for name in ("ids", "labels", "probabilities")
    }
    write_arrays(tmp_path / "predictions.npz", arrays)
    assert read_bundle_predictions(tmp_path, "validation").ids.tolist() == [b"b", b"a"]
    assert read_bundle_predictions(tmp_path, "test").ids.tolist() == [b"longer"]


def test_pickled_objects_are_refused_both_ways(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        write_arrays(tmp_path / "objects.npz", {"one": np.array([object()])})
    np.savez(tmp_path / "pickled.npz", one=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DamagedError, match="an array of object"):
        read_arrays(tmp_path / "pickled.npz")


def test_predictions_are_joined_by_id_not_by_position() -> None:
    other = make_predictions(["new", "longer", "b"], [0, 1, 1], np.zeros((3, 2)))
    left, right = join_by_id(PREDICTIONS, other)
    assert PREDICTIONS.ids[left].tolist() == other.ids[right].tolist() == [b"b", b"longer"]


def test_predictions_take_over_another_sets_order() -> None:
    other = make_predictions(["longer", "b", "a"], [1, 1, 0], np.zeros((3, 2)))
    aligned = PREDICTIONS.in_order_of(other)
    assert aligned.ids.tolist() == other.ids.tolist()
    assert aligned.labels.tolist() == [1, 1, 0]
    assert aligned.slices.tolist() == [b"x", b"x", b""]
    np.testing.assert_array_equal(aligned.probabilities[:, 0], np.float32([0.5, 0.2, 0.9]))


@pytest.mark.parametrize("ids", [["b", "a"], ["b", "a", "new"], ["b", "a", "longer", "new"]])
def test_predictions_of_other_examples_are_not_aligned(ids: list[str]) -> None:
    other = make_predictions(ids, [0] * len(ids), np.zeros((len(ids), 2)))
    with pytest.raises(ValueError, match="not of one test split"):
        PREDICTIONS.in_order_of(other)
