"""Fewer levels for the weights of a kernel, so that its output changes least and it packs well.

A row of a kernel becomes codes times one step. At 4 bits codes are -7 to 7 in every row alike, for
then all rows have one alphabet, which is what packs well; rows differ in their steps. These in turn
are rounded to few values, for a step of a random float packs into no less than its four bytes.

A step is wider than the one of least error. That one's outermost levels clip, and what is clipped
costs nothing to pack; a wider step rounds more, but the codes crowd about 0, and a packer spends
fewer bits on each. Of EfficientNet-Lite0's int8 file it saves a ninth at the same departure of
answers.

Weights are rounded one column after the other, and what a column loses the columns after it make
up for, as far as their inputs go together (E. Frantar et al., GPTQ, 2022).
"""

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]

_CLIPPING = np.linspace(0.35, 1.0, 14)
"""Where a row's outermost level may lie, as a share of its largest weight."""

_WIDENING = 1.4
"""How much wider than the step of least error."""

_STEP_BITS = 3
"""Of a step's mantissa: neighbours lie 6 to 12 % apart, and the best step is no sharp optimum."""

_DAMPING = 0.01
"""Of the mean of the products' diagonal: inputs that hardly vary must not make up for others."""

_BLOCK = 64
"""Columns whose losses are handed on together, in one product of matrices."""


def choose_steps(
    weights: Matrix, importance: Matrix, *, levels: int, together: bool = False
) -> Matrix:
    """Returns the step of each row: that of least error, widened.

    Args:
      weights: [rows, columns], real.
      importance: [columns], what a squared error costs in each.
      levels: how many there are on either side of 0.
      together: whether the rows share one step.

    Returns:
      [rows], or [1] where they share it; with few bits of mantissa.
    """
    largest = np.abs(weights).max(axis=1)
    if together:
        largest = np.full_like(largest, largest.max())
    largest[largest == 0] = levels
    candidates = np.outer(_CLIPPING, largest / levels).astype(np.float32)
    errors = np.stack([_rounding_errors(weights, each, importance, levels) for each in candidates])
    if together:
        best = candidates[np.argmin(errors.sum(axis=1))][:1]
    else:
        best = np.take_along_axis(candidates, errors.argmin(axis=0)[np.newaxis], axis=0)[0]
    return _round_steps(best * _WIDENING)


def snap_rows(
    weights: Matrix, steps: Matrix, products: npt.NDArray[np.float64], *, levels: int
) -> npt.NDArray[np.int8]:
    """Returns the codes, int8 [rows, columns], that change a kernel's output least, or nearly.

    Args:
      weights: [rows, columns], real; zeros stay zeros.
      steps: [rows] or [1].
      products: [columns, columns], the mean of x xᵀ over the inputs x of these columns.
      levels: how many there are on either side of 0.
    """
    order = np.argsort(-np.diag(products), kind="stable")  # What matters most is rounded first.
    wanted = (weights / steps[:, np.newaxis])[:, order]
    is_zero = wanted == 0
    shares = _hand_on(products[np.ix_(order, order)])
    codes = np.zeros(weights.shape, np.int8)
    for start in range(0, len(order), _BLOCK):
        stop = min(start + _BLOCK, len(order))
        losses = np.zeros((len(weights), stop - start), np.float32)
        for column in range(start, stop):
            code = np.clip(np.rint(wanted[:, column]), -levels, levels)
            code[is_zero[:, column]] = 0
            codes[:, order[column]] = code
            lost = (wanted[:, column] - code) / shares[column, column]
            losses[:, column - start] = lost
            wanted[:, column + 1 : stop] -= np.outer(lost, shares[column, column + 1 : stop])
        wanted[:, stop:] -= losses @ shares[start:stop, stop:]
    return codes


def _round_steps(steps: npt.NDArray[np.floating]) -> Matrix:
    """Returns positive numbers with few bits of mantissa."""
    mantissa, exponent = np.frexp(steps)
    unit = 2.0 ** (_STEP_BITS + 1)
    return np.asarray(np.ldexp(np.rint(mantissa * unit) / unit, exponent), np.float32)


def _rounding_errors(weights: Matrix, steps: Matrix, importance: Matrix, levels: int) -> Matrix:
    scaled = weights / steps[:, np.newaxis]
    errors = np.square(scaled - np.clip(np.rint(scaled), -levels, levels)) @ importance
    return np.asarray(errors * np.square(steps), np.float32)


def _hand_on(products: npt.NDArray[np.float64]) -> Matrix:
    """Returns how a column's loss is handed on to those after it: upper triangular."""
    damping = _DAMPING * np.mean(np.diag(products)) or 1.0
    inverse = np.linalg.inv(products + damping * np.eye(len(products)))
    return np.asarray(np.linalg.cholesky(inverse).T, np.float32)
