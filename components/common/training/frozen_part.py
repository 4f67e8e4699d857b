"""The part of a model below all that a phase trains, computed once instead of at every step.

What leaves that part depends on the picture alone. So some augmentations of each picture are sent
through it ahead of the training, which then goes on with the rest of the model:

    pictures -> frozen part -> features  ] kept, float16      features -> trained part -> logits
    pictures -> teacher     -> logits    ]                    logits   -> teacher of the phase

A teacher from which the model comes has the same frozen part, and gives both in one pass.
An epoch draws one of its augmentations for each picture. That is less variety than new ones at
every step, and float16 rounds, so that a phase ends with other weights than without.
"""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.keras import keras, tf
from components.common.training.examples import (
    MEMORY_BYTES,
    KeptExamples,
    KeptVersions,
    in_host_memory,
)
from components.common.training.input_pipeline import augmented_batches, keep_computed
from components.common.training.loop import EVALUATION_BATCH, inference
from components.common.training.phases import Data, Phase
from components.common.training.strategy import read_variables

VERSIONS = 8
"""Augmentations of a picture that are kept: of a phase with fewer epochs, as many as it has."""


@dataclasses.dataclass(frozen=True)
class Rest:
    """What is left to train: at first all of a model.

    Attributes:
      model: its layers are those of the whole model.
      phase: how it is trained.
      data: what it takes.
    """

    model: Any
    phase: Phase
    data: Data


def keep_frozen_part(whole: Rest, *, augments: bool) -> Rest:
    """Computes the frozen part ahead of a phase.

    Args:
      whole: a classifier, in which what is not to be trained is frozen.
      augments: whether the pictures of two epochs differ.

    Returns:
      The part above, with the outputs of the frozen part and the teacher's logits as its data.
      The whole, where there is no such part, where pictures are read anew in each epoch, or
      where what is to be kept of them takes more than MEMORY_BYTES.
    """
    model, phase, data = whole.model, whole.phase, whole.data
    border = frozen_border(model)
    if border is None or not isinstance(data.train, KeptExamples):
        return whole
    versions = min(VERSIONS, phase.epochs) if augments else 1
    count = int(np.prod(border.shape[1:]))
    width = count + (model.output_shape[-1] if phase.teacher is not None else 0)
    examples = len(data.train) * versions + len(data.validation)
    if examples * width * np.dtype(np.float16).itemsize > MEMORY_BYTES:
        return whole
    keep = inference(_keeper(model, border, phase.teacher))

    def compute(pictures: Any) -> npt.NDArray[np.float16]:
        return keep(pictures).astype(np.float16)

    kept = Data(
        train=_keep_versions(data, compute, versions=versions, seed=phase.seed, width=width),
        validation=keep_computed(
            data.validation, data.prepare, compute, batch_size=EVALUATION_BATCH
        ),
        prepare_train=_widen,
        prepare=_widen,
    )
    return Rest(*_cut(model, border, phase, width), kept)


def frozen_border(model: Any) -> Any:
    """Returns the highest tensor that all of a model goes through, with nothing trained below.

    None where the first layer that has weights is trained already. Dropout counts as trained, as
    does a layer in a wrapper, whose mask changes it.
    """
    nodes = nodes_of(model.output)
    place = {id(node): number for number, node in enumerate(nodes)}
    last_use = {id(parent): place[id(node)] for node in nodes for parent in node.parent_nodes}
    border, reach, weighs = None, 0, False
    changing = (keras.layers.Dropout, keras.layers.Wrapper)
    for number, node in enumerate(nodes[:-1]):
        if node.layer.trainable_weights or isinstance(node.layer, changing):
            break
        weighs = weighs or bool(node.layer.weights)
        # Nothing from below may go past it.
        if weighs and reach <= number:
            border = node.outputs
        reach = max(reach, last_use[id(node)])
    return border


def nodes_of(tensor: Any) -> list[Any]:
    """Returns the applications of layers that a tensor comes from, each after its parents."""
    found: dict[int, Any] = {}
    open_nodes = [tensor.node]
    while open_nodes:
        node = open_nodes[-1]
        waiting = [parent for parent in node.parent_nodes if id(parent) not in found]
        if waiting:
            open_nodes.extend(waiting)
        else:
            found.setdefault(id(open_nodes.pop()), node)
    return list(found.values())


def _keeper(model: Any, border: Any, teacher: Any) -> Any:
    """Returns the model from pictures to what is kept of them: float32 [b, width]."""
    flatten = keras.layers.Flatten()
    if teacher is None:
        return keras.Model(model.input, flatten(border))
    features = _same_in(teacher, border)
    if features is None:
        features = keras.Model(model.input, border)(teacher.input)
    (logits,) = tf.nest.flatten(teacher.output.node.input_tensors)  # Of the softmax.
    return keras.Model(teacher.input, keras.layers.Concatenate()([flatten(features), logits]))


def _same_in(teacher: Any, border: Any) -> Any:
    """Returns the teacher's tensor that has the border's values; None where it has none."""
    theirs = {layer.name: layer for layer in teacher.layers}
    for node in nodes_of(border):
        if node.layer.name not in theirs or not _equal(node.layer, theirs[node.layer.name]):
            return None
    return theirs[border.node.layer.name].output


def _equal(one: Any, other: Any) -> bool:
    settings = [{**layer.get_config(), "trainable": None} for layer in (one, other)]
    weights = zip(read_variables(one.weights), read_variables(other.weights), strict=False)
    return settings[0] == settings[1] and all(itertools.starmap(np.array_equal, weights))


def _keep_versions(
    data: Data, compute: Callable[[Any], Any], *, versions: int, seed: int, width: int
) -> KeptVersions:
    """Computes the versions of every example of this worker, the same for any number of them."""
    examples = data.train
    assert isinstance(examples, KeptExamples)
    kept = np.empty((len(examples.labels), versions, width), np.float16)
    for version in range(versions):
        batches = augmented_batches(
            examples, data.prepare_train, batch_size=EVALUATION_BATCH, seed=seed, pass_=version
        )
        start = 0
        for inputs in batches:
            kept[start : start + len(inputs), version] = compute(inputs)
            start += len(inputs)
    inputs = in_host_memory(kept)
    return KeptVersions(dataclasses.replace(examples, inputs=inputs), versions)


def _cut(model: Any, border: Any, phase: Phase, width: int) -> tuple[Any, Phase]:
    """Returns the model above the border, of kept vectors, and the phase with their teacher.

    A vector [width] is a picture's features and, behind them, the teacher's logits.
    """
    shape = border.shape[1:]
    count = int(np.prod(shape))
    kept = keras.layers.Input((width,), name="kept")
    features = keras.layers.Lambda(lambda kept: tf.reshape(kept[:, :count], [-1, *shape]))(kept)
    # By call, so that the layers are those of the new model, rather than of one within it.
    trained = keras.Model(kept, keras.Model(border, model.output).call(features))
    if phase.teacher is None:
        return trained, phase
    logits = keras.layers.Lambda(lambda kept: kept[:, count:])(kept)
    teacher = keras.Model(kept, keras.layers.Softmax()(logits))
    return trained, dataclasses.replace(phase, teacher=teacher)


def _widen(kept: Any, *_: Any) -> Any:
    return tf.cast(kept, tf.float32)
