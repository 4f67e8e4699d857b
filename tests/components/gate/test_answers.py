"""What a model has answered is not asked again, and nothing else is believed."""

import numpy as np
import pytest

from components.common.data.arrays import encode_arrays
from components.gate.answers import Answers

SEEN = [np.full((2, 2), value, np.float32) for value in range(4)]


class Model:
    """Answers, in the place of a classifier, and counts how often."""

    asked = 0

    def classify(self, features):
        self.asked += 1
        return np.array([features.sum(), 1.0], np.float32)


def ask(known: bytes, seen=SEEN) -> tuple[list, int, bytes]:
    answers, model = Answers(known, classes=2), Model()
    given = [answers.answer(model, features).tolist() for features in seen]
    return given, model.asked, answers.encode()


def test_only_what_is_new_is_asked_and_what_is_gone_is_forgotten():
    first, asked, known = ask(b"", SEEN[:3])
    assert asked == 3
    grown, asked, known = ask(known, SEEN[1:])
    assert (grown[:2], asked) == (first[1:], 1)
    again, asked, _ = ask(known, SEEN[1:])
    assert (again, asked) == (grown, 0)
    assert ask(known, SEEN[:1])[1] == 1


def test_other_bytes_shapes_and_types_are_other_examples():
    _, _, known = ask(b"")
    others = [SEEN[0].reshape(4), SEEN[0].astype(np.int32), SEEN[0] + 0.5, SEEN[1].T.copy()]
    assert ask(known, others)[1] == 3


@pytest.mark.parametrize(
    "known",
    [
        b"no zip",
        encode_arrays({"digests": np.zeros((4, 2), np.uint64)}),
        encode_arrays({"digests": np.uint64(0), "probabilities": np.zeros((4, 2), np.float32)}),
        encode_arrays(
            {"digests": np.zeros((4, 2), np.uint64), "probabilities": np.zeros((4, 2), np.int32)}
        ),
    ],
)
def test_what_is_damaged_knows_nothing(known):
    assert ask(known)[1] == len(SEEN)


def test_answers_of_other_classes_are_not_believed():
    _, _, known = ask(b"")
    answers, model = Answers(known, classes=3), Model()
    answers.answer(model, SEEN[0])
    assert model.asked == 1
