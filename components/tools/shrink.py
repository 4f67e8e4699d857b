"""shrink: the steps on the file, on anybody's int8 model, and what they cost it in answers.

Some of the pictures say how to round; all others are asked of both models. Labels have no part in
the rounding.
"""

import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.documents.image import Fit
from components.common.documents.variant import StepSpec
from components.common.errors import UserError
from components.common.lite.file_steps import apply_file_steps, describe_step
from components.common.lite.litert import LiteRTError
from components.common.lite.model_files import ModelFileError
from components.common.lite.structure import walk_model
from components.common.tasks.image.normalization import Normalization
from components.common.tasks.image.preparation.spec import PictureError
from components.tools.classifiers import PictureClassifier
from components.tools.compare import compare
from components.tools.documents import Shrunk
from components.tools.inspect import measure_sizes
from components.tools.models import read_model
from components.tools.pictures import LabelledPicture, read_picture

_LEARNED_FROM = 100
_FEWEST = 20
"""Pictures; a quarter of them says how to round."""


@dataclasses.dataclass(frozen=True)
class Smaller:
    """A file after the steps.

    Attributes:
      data: the whole file.
      found: what came of it.
    """

    data: bytes
    found: Shrunk


def shrink(
    model: Path,
    output: Path,
    pictures: Sequence[LabelledPicture],
    *,
    bits: int,
    fit: Fit | None = None,
    normalization: Normalization,
    margin: float | None = None,
) -> Smaller:
    """Returns a model that packs better, computes as fast, and answers almost alike.

    Args:
      model: a `.tflite` classifier with int8 weights.
      output: where the smaller one is to be written.
      pictures: with their classes; at least 20.
      bits: what its weights are snapped to, from 2 to 7.
      fit: how pictures that are not square become so; None takes what the model states.
      normalization: of pixels.
      margin: the drop in accuracy that is allowed.

    Raises:
      UserError: the model is none or has no int8 weights; there are too few pictures.
    """
    data = _read(model)
    learned, asked = _divide(pictures)
    classifier = PictureClassifier(model, fit=fit, normalization=normalization)
    material = _Pictures(classifier, learned)
    specs = [
        StepSpec(kind="snap", settings={"bits": bits, "examples": _LEARNED_FROM}),
        StepSpec(kind="share", settings={}),
    ]
    try:
        smaller, _ = apply_file_steps(data, specs, material)
    except (ModelFileError, LiteRTError) as error:
        raise UserError(f"{model}: {error}") from error
    with tempfile.TemporaryDirectory() as folder:
        tried = Path(folder, output.name)
        tried.write_bytes(smaller)
        comparison = compare(
            model, tried, asked, fit=fit, normalization=normalization, margin=margin
        )
    one, other = comparison.models
    named = (one, other.model_copy(update={"file": str(output)}))
    found = Shrunk(
        steps=tuple(map(describe_step, specs)),
        before=measure_sizes(data),
        after=measure_sizes(smaller),
        learned_from=len(material.seen),
        comparison=comparison.model_copy(update={"models": named}),
    )
    return Smaller(smaller, found)


class _Pictures:
    """The `Material` of the steps."""

    def __init__(self, classifier: PictureClassifier, pictures: Sequence[LabelledPicture]) -> None:
        self.seen = list(_see_all(classifier, pictures))

    def examples(self, count: int) -> npt.NDArray[Any]:
        return np.stack(self.seen[:count])


def _see_all(
    classifier: PictureClassifier, pictures: Sequence[LabelledPicture]
) -> Iterator[npt.NDArray[Any]]:
    """Yields what the model is fed of each picture that can be decoded.

    Raises:
      UserError: none can.
    """
    seen = 0
    for picture in pictures:
        try:
            fed = classifier.see(read_picture(picture.path))
        except PictureError:
            continue
        seen += 1
        yield fed
    if not seen:
        raise UserError(f"none of {len(pictures)} pictures can be decoded, as {pictures[0].path}")


def _divide(
    pictures: Sequence[LabelledPicture],
) -> tuple[Sequence[LabelledPicture], Sequence[LabelledPicture]]:
    """Returns the pictures to learn from, and those to ask, which show every class.

    Raises:
      UserError: they are too few.
    """
    by_class: dict[str, list[LabelledPicture]] = {}
    for picture in pictures:
        by_class.setdefault(picture.label, []).append(picture)
    fewest = max(_FEWEST, len(by_class) + _FEWEST // 4)
    if len(pictures) < fewest:
        raise UserError(
            f"{len(pictures)} pictures of {len(by_class)} classes; expected at least {fewest}: one "
            "of each class to compare the models on, and others that say how to round"
        )
    turns = chain.from_iterable(zip_longest(*by_class.values()))
    ordered = [picture for picture in turns if picture is not None]
    count = min(_LEARNED_FROM, len(ordered) // 4, len(ordered) - len(by_class))
    return ordered[-count:], ordered[:-count]


def _read(model: Path) -> bytes:
    data = read_model(model)
    try:
        walk_model(data)
    except ValueError as error:
        raise UserError(f"{model}: {error}") from error
    return data
