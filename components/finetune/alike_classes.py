"""Classes that a pretrained model doesn't tell apart, looked for before it is trained.

Of some training examples of each class it is computed what the model makes of them where its head
begins. Where those of two classes lie among one another, no head tells them apart; a training that
changes the model may, or their labels mean the same.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.config import Severity
from components.common.data.examples import Labelled
from components.common.documents.bundle import AlikeClasses
from components.common.errors import UserError
from components.common.keras import keras, tf
from components.common.statistics import neighbours
from components.common.tasks.reading import device_input, read_examples
from components.common.tasks.sources import sources_of
from components.common.training.loop import EVALUATION_BATCH, inference
from components.common.training.session import Session

_PER_CLASS = 50
_IN_ALL = 2000
"""Examples that are looked at; more only where there are so many classes that each of them would
have fewer than it takes."""
_SEARCHED = 50_000
"""A class of which too few show up among these isn't compared."""
_TOLD = 20
"""Pairs of classes."""
_SHOWN = 3
"""Pairs of examples of each."""


def check_classes(model: Any, severity: Severity, session: Session) -> tuple[AlikeClasses, ...]:
    """Looks for classes that are alike, and tells of them.

    Args:
      model: with pretrained weights, and a head that is not looked at.
      severity: what is done about them.
      session: what the model will learn from.

    Raises:
      UserError: some are alike, and the severity is `stop`.
    """
    if severity == "ignore":
        return ()
    found = find_alike_classes(model, session)
    if found and severity == "stop":
        lines = "".join(f"\n  alike_classes: {pair.told()}" for pair in found)
        raise UserError(f"classes are alike to the pretrained model, before it is trained:{lines}")
    for pair in found:
        session.events.warn(f"alike_classes: {pair.told()}")
    return found


def find_alike_classes(model: Any, session: Session) -> tuple[AlikeClasses, ...]:
    """Returns the pairs of classes that a model with pretrained weights doesn't tell apart."""
    examples = _sample(session)
    if not examples:
        return ()
    labels = np.array([example.label for example in examples])
    found = neighbours.find_alike_classes(_features(model, examples, session), labels)
    names = session.manifest.class_names
    return tuple(
        AlikeClasses(
            one=names[pair.one],
            other=names[pair.other],
            strangers=pair.strangers,
            neighbours=pair.neighbours,
            expected=pair.expected,
            examples=sources_of(session.manifest.task).EXAMPLES,
            pairs=tuple(_distinct_pairs(pair.pairs, examples)),
        )
        for pair in itertools.islice(found, _TOLD)
    )


def _sample(session: Session) -> Sequence[Labelled]:
    """Returns some training examples of each class: those with the first ids, which are hashes."""
    assert session.storage is not None
    counts = session.examples_per_class
    most = max(neighbours.LEAST, min(_PER_CLASS, _IN_ALL // len(counts)))
    wanted = [min(count, most) if count >= neighbours.LEAST else 0 for count in counts]
    chosen = []
    examples = read_examples(session.manifest, "train", session.storage)
    for example in itertools.islice(examples, _SEARCHED if any(wanted) else 0):
        if wanted[example.label]:
            wanted[example.label] -= 1
            chosen.append(example)
            if not any(wanted):
                break
    return chosen


def _features(
    model: Any, examples: Sequence[Labelled], session: Session
) -> npt.NDArray[np.float32]:
    """Returns what the model makes of examples where its head begins: [n, units]."""
    extract = inference(keras.Model(model.input, model.get_layer("pool").output))
    prepare, feed = session.data(None).prepare, device_input(session.manifest)
    features = []
    for start in range(0, len(examples), EVALUATION_BATCH):
        batch = np.stack([feed(each) for each in examples[start : start + EVALUATION_BATCH]])
        features.append(extract(prepare(tf.constant(batch), None)))
        done = start + len(batch)
        session.events.progress(done, len(examples), "examples", "comparing classes")
    return np.concatenate(features).astype(np.float32)


def _distinct_pairs(
    pairs: npt.NDArray[np.int64], examples: Sequence[Labelled]
) -> Iterator[tuple[str, str]]:
    """Yields the ids of the most alike pairs, each example in one pair alone."""
    seen: set[int] = set()
    count = 0
    for one, other in pairs.tolist():
        if count < _SHOWN and not seen & {one, other}:
            seen |= {one, other}
            count += 1
            yield examples[one].id, examples[other].id
