"""LAMP's shares: one threshold on scores, each computed here as the paper writes it."""

import numpy as np
import pytest

from components.compress.steps.lamp import lamp_scores, lamp_shares


def make_kernels() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "wide": random.normal(size=(3, 3, 4, 8)).astype(np.float32),
        "narrow": random.laplace(scale=7.0, size=(6, 5)).astype(np.float32),
        "peaked": (random.normal(size=(1, 1, 10, 10)) ** 5).astype(np.float32),
    }


def score(weight: float, layer: np.ndarray) -> float:
    return weight**2 / sum(other**2 for other in layer.ravel().tolist() if abs(other) >= weight)


def test_a_score_is_a_share_of_the_squares_that_are_not_smaller():
    layer = np.array([[3.0, -1.0], [0.0, 2.0]], np.float32)
    np.testing.assert_allclose(lamp_scores(layer), [0, 1 / 14, 4 / 13, 1])
    for kernel in make_kernels().values():
        magnitudes = sorted(map(abs, kernel.ravel().tolist()))
        expected = [score(magnitude, kernel) for magnitude in magnitudes]
        np.testing.assert_allclose(lamp_scores(kernel), expected, rtol=1e-9)


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.8, 0.95])
def test_one_threshold_parts_the_scores_of_all_layers(sparsity):
    kernels = make_kernels()
    shares = lamp_shares(kernels, sparsity)
    zeros = {name: round(share * kernels[name].size) for name, share in shares.items()}
    assert sum(zeros.values()) == round(sparsity * sum(k.size for k in kernels.values()))
    scores = {name: lamp_scores(kernel) for name, kernel in kernels.items()}
    gone = [scores[name][:count] for name, count in zeros.items()]
    kept = [scores[name][count:] for name, count in zeros.items()]
    assert max([*np.concatenate(gone), 0.0]) <= min(np.concatenate(kept))


def test_what_a_layer_is_multiplied_by_changes_nothing():
    kernels = make_kernels()
    scaled = {name: kernel * 2.0**number for number, (name, kernel) in enumerate(kernels.items())}
    assert lamp_shares(scaled, 0.6) == lamp_shares(kernels, 0.6)


def test_a_layer_keeps_a_weight_and_one_of_zeros_goes_first():
    kernels = {"zeros": np.zeros((2, 5), np.float32), "one": np.ones((1, 1), np.float32)}
    assert lamp_shares(kernels, 0.5) == {"zeros": 0.6, "one": 0.0}
    assert lamp_shares(kernels, 0.99) == {"zeros": 0.9, "one": 0.0}
