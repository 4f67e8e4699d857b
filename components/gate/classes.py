"""The test split class by class: what a constant answer gets right, and what a candidate does."""

import dataclasses
from collections.abc import Iterator
from typing import Literal

import numpy as np

from components.gate.entrants import Correct, Entrant, TestSplit


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ConstantAnswer:
    """Always the class that most test examples have.

    Attributes:
      class_name: which one.
      correct: bool [n], on which examples it is right.
      classes: how many there are.
    """

    class_name: str
    correct: Correct
    classes: int

    @property
    def accuracy(self) -> float:
        return float(self.correct.mean())


@dataclasses.dataclass(frozen=True, kw_only=True)
class Proof:
    """How a candidate fared against the constant answer.

    Attributes:
      measure: `accuracy`, or `mean recall` where every class counts the same.
      constant: what the constant answer has of it.
      own: what the candidate has.
      alpha: of the test.
      passed: whether the candidate is proven to have more.
    """

    measure: Literal["accuracy", "mean recall"]
    constant: float
    own: float
    alpha: float
    passed: bool


@dataclasses.dataclass(frozen=True)
class ClassResult:
    """How many test examples of a class a candidate gets right."""

    class_name: str
    hits: int
    examples: int

    @property
    def recall(self) -> float:
        return self.hits / self.examples


def find_constant(split: TestSplit) -> ConstantAnswer:
    """Returns the best constant answer to a test split."""
    label = int(np.argmax(np.bincount(split.labels, minlength=len(split.class_names))))
    return ConstantAnswer(
        class_name=split.class_names[label],
        correct=split.labels == label,
        classes=len(split.class_names),
    )


def class_results(entrant: Entrant, split: TestSplit) -> Iterator[ClassResult]:
    """Yields a candidate's results on each class, those without a test example included."""
    classes = len(split.class_names)
    examples = np.bincount(split.labels, minlength=classes)
    hits = np.bincount(split.labels[entrant.outcomes], minlength=classes)
    for name, hit, count in zip(split.class_names, hits, examples, strict=True):
        yield ClassResult(name, int(hit), int(count))


def forgotten_classes(entrant: Entrant, split: TestSplit) -> list[ClassResult]:
    """Returns the classes of which a candidate gets no test example right."""
    return [r for r in class_results(entrant, split) if r.examples and not r.hits]
