"""What lies far out, by Tukey's rule."""

import numpy as np
import pytest

from components.common.statistics.outliers import how_far_out


def test_what_is_beyond_three_times_the_distance_of_the_quartiles_is_far_out():
    values = np.array([*range(101), 226, -130], np.float32)
    # The quartiles are 24.5 and 75.5; 153 beyond them begins what is far out.
    found = how_far_out(values, at_least=1)
    assert np.flatnonzero(found).tolist() == [102]
    assert found[102] == pytest.approx(154.5 / 153, rel=0.01)


def test_numbers_that_are_nearly_all_alike_have_room_all_the_same():
    values = np.array([5.0] * 50 + [5.9, 6.1, 3.9], np.float32)
    assert np.flatnonzero(how_far_out(values, at_least=1)).tolist() == [51, 52]
    assert not how_far_out(values[:1], at_least=1).any()
