import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from components.common.training.linear_head import STRENGTHS, fit_head

Examples = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]


def draw(count: int, *, seed: int, noise: float, units: int = 40) -> Examples:
    """Returns examples of three classes whose centres are apart in a few of the units."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, count)
    centres = np.zeros((3, units))
    centres[:, :3] = 2 * np.eye(3)
    features = 5 + centres[labels] + random.normal(0, noise, (count, units))
    return features.astype(np.float32), labels


def answers(head: object, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    logits = features @ head.kernel + head.bias
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def test_the_head_is_that_of_an_independent_solver() -> None:
    train, validation = draw(300, seed=0, noise=1.0), draw(200, seed=1, noise=1.0)
    head = fit_head(train, validation, class_weights=(1.0, 1.0, 1.0))
    centred = train[0] - train[0].mean(axis=0, dtype=np.float64)
    penalty = head.strength * np.square(centred).sum(axis=1).mean() / (centred.shape[1] + 1)
    other = LogisticRegression(C=1 / (penalty * len(centred)), tol=1e-8, max_iter=5000)
    other.fit(centred, train[1])
    expected = other.predict_proba(validation[0] - train[0].mean(axis=0, dtype=np.float64))
    np.testing.assert_allclose(answers(head, validation[0]), expected, atol=2e-4)


def test_few_noisy_examples_are_held_back_more_than_many() -> None:
    validation = draw(500, seed=1, noise=1.5)
    few = fit_head(draw(30, seed=0, noise=1.5), validation, class_weights=(1.0,) * 3)
    many = fit_head(draw(3000, seed=0, noise=1.5), validation, class_weights=(1.0,) * 3)
    assert few.strength > many.strength
    assert many.validation_loss < few.validation_loss


def test_the_chosen_strength_is_the_best_on_validation() -> None:
    train, validation = draw(60, seed=2, noise=2.0), draw(500, seed=3, noise=2.0)
    head = fit_head(train, validation, class_weights=(1.0,) * 3)
    found = answers(head, validation[0])[np.arange(500), validation[1]]
    assert np.isclose(head.validation_loss, -np.log(found).mean())
    assert head.strength in STRENGTHS[:-1]


def test_class_weights_make_up_for_a_rare_class() -> None:
    features, labels = draw(400, seed=4, noise=2.5)
    rare = (labels != 2) | (np.arange(400) % 10 == 0)
    train, validation = (features[rare], labels[rare]), draw(400, seed=5, noise=2.5)
    found = [
        (answers(fit_head(train, validation, class_weights=weights), validation[0]).argmax(1) == 2)
        for weights in ((1.0, 1.0, 1.0), (0.4, 0.4, 4.0))
    ]
    assert found[1].mean() > 1.5 * found[0].mean()
