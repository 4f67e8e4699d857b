"""Grids for a kernel's weights, on matrices made for it."""

import numpy as np
import pytest

from components.common.lite.grids import choose_steps, snap_rows

RANDOM = np.random.default_rng(0)
WEIGHTS = RANDOM.normal(size=(40, 96)).astype(np.float32)
INPUTS = RANDOM.normal(size=(4000, 12)) @ RANDOM.normal(size=(12, 96))
INPUTS += 0.3 * RANDOM.normal(size=INPUTS.shape)
PRODUCTS = INPUTS.T @ INPUTS / len(INPUTS)
ALIKE = np.ones(96, np.float32)


def loss(codes: np.ndarray, steps: np.ndarray) -> float:
    error = WEIGHTS - codes * steps[:, np.newaxis]
    return float(np.mean(np.square(INPUTS @ error.T)))


def rounded(steps: np.ndarray, levels: int) -> np.ndarray:
    return np.clip(np.rint(WEIGHTS / steps[:, np.newaxis]), -levels, levels)


@pytest.mark.parametrize("bits", [2, 4, 7])
def test_columns_make_up_for_one_another(bits: int) -> None:
    levels = 2 ** (bits - 1) - 1
    steps = choose_steps(WEIGHTS, np.diag(PRODUCTS), levels=levels)
    codes = snap_rows(WEIGHTS, steps, PRODUCTS, levels=levels)
    assert np.abs(codes.astype(int)).max() <= levels
    assert loss(codes, steps) < 0.5 * loss(rounded(steps, levels), steps)


def test_inputs_that_do_not_go_together_are_rounded_plainly() -> None:
    steps = choose_steps(WEIGHTS, ALIKE, levels=7)
    codes = snap_rows(WEIGHTS, steps, np.diag(np.arange(1.0, 97.0)), levels=7)
    np.testing.assert_array_equal(codes, rounded(steps, 7))


def test_zeros_stay_zeros() -> None:
    sparse = np.where(RANDOM.random(WEIGHTS.shape) < 0.8, 0, WEIGHTS).astype(np.float32)
    steps = choose_steps(sparse, ALIKE, levels=7)
    codes = snap_rows(sparse, steps, PRODUCTS, levels=7)
    assert not codes[sparse == 0].any()
    assert np.count_nonzero(codes) > 0.5 * np.count_nonzero(sparse)


def test_steps_are_few_values_and_somewhat_wider_than_those_of_least_error() -> None:
    scales = np.exp(RANDOM.normal(size=(40, 1)))
    weights = (WEIGHTS * scales).astype(np.float32)
    steps = choose_steps(weights, ALIKE, levels=7)
    mantissas, _ = np.frexp(steps)
    assert set(mantissas * 16) <= set(range(8, 17))
    # Of 16 levels for a normal distribution, 0.335 is best (J. Max, 1960).
    ratio = steps / weights.std(axis=1) / 0.335
    assert 1.2 < np.exp(np.log(ratio).mean()) < 1.7


def test_what_matters_most_decides_on_the_step() -> None:
    outlier = WEIGHTS.copy()
    outlier[:, 0] = 8.0
    without = choose_steps(outlier, np.r_[0.0, ALIKE[1:]].astype(np.float32), levels=7)
    with_ = choose_steps(outlier, np.r_[1000.0, ALIKE[1:]].astype(np.float32), levels=7)
    assert np.all(with_ > 1.5 * without)


def test_rows_may_share_one_step() -> None:
    steps = choose_steps(WEIGHTS, ALIKE, levels=7, together=True)
    assert steps.shape == (1,)
    assert np.abs(snap_rows(WEIGHTS, steps, PRODUCTS, levels=7)).max() <= 7


def test_a_row_of_zeros_and_inputs_of_zeros_do_no_harm() -> None:
    weights = WEIGHTS.copy()
    weights[3] = 0
    steps = choose_steps(weights, ALIKE, levels=7)
    assert np.isfinite(steps).all()
    assert (steps > 0).all()
    np.testing.assert_array_equal(
        snap_rows(weights, steps, np.zeros((96, 96)), levels=7)[3], np.zeros(96)
    )
