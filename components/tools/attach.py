"""attach: labels, and what goes in, into a `.tflite`, as metadata that MediaPipe reads.

MediaPipe's ImageClassifier loads a model alone, so the model must say which class each output is,
and for floating-point input what it takes off each pixel and divides it by. It stretches pictures
to the input's size, and reads no int8.
"""

import dataclasses
import struct
from pathlib import Path

import numpy as np

from components.common.errors import UserError
from components.common.lite.file_steps.share import share_equal_parts
from components.common.lite.graph import Tensor, read_graphs
from components.common.lite.litert import LiteRTError, Runner
from components.common.lite.metadata import ModelCard, attach_metadata
from components.common.lite.model_files import ModelFileError
from components.common.lite.structure import walk_model
from components.common.tasks.image.metadata import describe_picture_input
from components.common.tasks.image.normalization import Normalization
from components.tools.bench import make_values
from components.tools.models import LABELS_BYTES, read_model

_READ_BY_MEDIAPIPE = ("float32", "uint8")


@dataclasses.dataclass(frozen=True)
class Labelled:
    """A file with its labels.

    Attributes:
      data: the whole file.
      labels: what was attached.
    """

    data: bytes
    labels: tuple[str, ...]


def attach(model: Path, labels: Path, *, mean: float | None, std: float | None) -> Labelled:
    """Returns a classifier of pictures with its labels; its answers are the same to the bit.

    Args:
      model: the `.tflite` file. Metadata that it has are replaced.
      labels: a text file in UTF-8 with one class a line, in the order of the model's output.
      mean: what the network wants taken off each pixel in [0, 255]; must be stated, as std, where
        the input is floating point.
      std: what it wants the rest divided by.

    Raises:
      UserError: the model is none, is no classifier of pictures that MediaPipe runs, or has
        another number of classes than there are labels.
    """
    data, names = read_model(model), _read_labels(labels)
    try:
        structure = walk_model(data)
        graph = read_graphs(data, structure)[0]
    except (ValueError, IndexError, struct.error) as error:
        raise UserError(f"{model}: {error}") from error
    if (len(graph.inputs), len(graph.outputs)) != (1, 1):
        raise UserError(f"{model}: expected a model with one input and one output")
    picture, scores = graph.inputs[0], graph.outputs[0]
    _check_picture(model, picture, mean, std)
    _check_scores(model, scores, labels, len(names))
    normalization = Normalization(mean=mean or 0.0, std=std or 1.0)
    card = ModelCard(
        name=model.stem,
        description=f"Classifies pictures into {len(names)} classes.",
        class_names=names,
        inputs=describe_picture_input(
            shape=picture.shape[1:],
            description=f"The picture, as (pixel - {normalization.mean:g}) / "
            f"{normalization.std:g}.",
            normalization=normalization,
        ),
        lineage=None,
    )
    try:
        made = attach_metadata(data, card)
        # Taken apart and put together, a file has each vector as often as it is referred to.
        made = share_equal_parts(made) if structure.shares else made
    except ModelFileError as error:
        raise UserError(f"{model}: {error}") from error
    _check_answers(model, data, made)
    return Labelled(made, names)


def _read_labels(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; expected one class a line")
    if path.stat().st_size > LABELS_BYTES:
        raise UserError(f"{path}: labels of up to {LABELS_BYTES:,} bytes are read")
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a text in UTF-8: {error}") from error
    labels = tuple(line.strip() for line in lines)
    while labels and not labels[-1]:
        labels = labels[:-1]
    if "" in labels:
        raise UserError(f"{path}: line {labels.index('') + 1} is empty; expected one class a line")
    return labels


def _check_picture(path: Path, picture: Tensor, mean: float | None, std: float | None) -> None:
    _check_type(path, "input", picture)
    if len(picture.shape) != 4 or picture.shape[0] != 1 or picture.shape[3] not in (1, 3):
        raise UserError(
            f"{path}: expected a picture as input, 1 × height × width × 1 or 3; found "
            f"{' × '.join(map(str, picture.shape))}"
        )
    if picture.floating and (mean is None or std is None):
        raise UserError(
            f"{path}: takes {picture.dtype}; state --mean and --std, by which a pixel in [0, 255] "
            "becomes its input: 0 and 1 for models of litesmith, 127.5 and 127.5 for an input in "
            "[-1, 1], 0 and 255 for one in [0, 1]"
        )


def _check_scores(path: Path, scores: Tensor, labels: Path, count: int) -> None:
    _check_type(path, "output", scores)
    classes = scores.shape[-1] if scores.shape else 0
    if scores.elements != classes or classes != count:
        found = " × ".join(map(str, scores.shape))
        raise UserError(
            f"{labels}: has {count} labels; the output of {path} is {found}: expected one label "
            "for each class"
        )


def _check_type(path: Path, side: str, tensor: Tensor) -> None:
    if tensor.dtype not in _READ_BY_MEDIAPIPE:
        raise UserError(
            f"{path}: its {side} is {tensor.dtype}; MediaPipe runs models with float32 or uint8"
        )


def _check_answers(path: Path, before: bytes, after: bytes) -> None:
    """Makes sure that the model in the new file is the one in the old."""
    answers = []
    try:
        for data in (before, after):
            runner = Runner(data)
            random = np.random.default_rng(0)
            runner.load([make_values(one["shape"], one["dtype"], random) for one in runner.inputs])
            runner.invoke()
            answers.append(runner.result())
    except LiteRTError as error:
        raise UserError(f"{path}: {error}") from error
    old, new = answers
    if not np.array_equal(old, new, equal_nan=True):
        raise UserError(f"{path}: the file can't be written anew without changing its answers")
