"""compare: what a model loses against another one on the same pictures, and what is proven.

Both see each picture as a device would feed it to them, in their own size and type. `lost` are the
pictures that the first model alone gets right, `won` those that the second alone does; the bound
of the drop in accuracy is the gate's (`components/common/statistics/noninferiority.py`).
"""

import dataclasses
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from components.common.digests import file_digest
from components.common.documents.image import Fit
from components.common.errors import UserError
from components.common.lite.litert import LiteRTError
from components.common.process.machine import usable_cores
from components.common.statistics.metrics import share_estimate
from components.common.statistics.noninferiority import drop_upper_bound, inferiority_p_value
from components.common.tasks.image.normalization import Normalization
from components.common.tasks.image.preparation.spec import PictureError
from components.common.words.figures import listing, shown
from components.tools.classifiers import PictureClassifier
from components.tools.documents import ComparedModel, Comparison, Flip
from components.tools.pictures import LabelledPicture, read_picture

ALPHA = 0.05
"""The chance that so low a bound is false."""


@dataclasses.dataclass(frozen=True)
class _Answer:
    """The classes that the two models name."""

    picture: LabelledPicture
    first: str
    second: str


def compare(
    first: Path,
    second: Path,
    pictures: Sequence[LabelledPicture],
    *,
    fit: Fit | None = None,
    normalization: Normalization,
    margin: float | None = None,
) -> Comparison:
    """Compares two classifiers on the same pictures.

    Args:
      first: the reference.
      second: the model that may be worse.
      pictures: with their classes.
      fit: how pictures that are not square become so; None takes what each model states.
      normalization: of what a device has, for both.
      margin: the drop in accuracy that is allowed, in (0, 1).

    Raises:
      UserError: a model is none, or is for other classes; no picture can be decoded.
    """
    folders = sorted({picture.label for picture in pictures})

    def open_pair() -> tuple[PictureClassifier, PictureClassifier]:
        one, other = (
            PictureClassifier(path, fit=fit, normalization=normalization)
            for path in (first, second)
        )
        return one, other

    names = [_class_names(model, folders) for model in open_pair()]
    answers, unreadable = _answer_all(pictures, open_pair, names)
    if not answers:
        raise UserError(f"none of {len(pictures)} pictures can be decoded: {shown(unreadable)}")
    n = len(answers)
    right = [
        sum(answer.first == answer.picture.label for answer in answers),
        sum(answer.second == answer.picture.label for answer in answers),
    ]
    flips = [
        Flip(
            picture=answer.picture.name,
            label=answer.picture.label,
            first=answer.first,
            second=answer.second,
        )
        for answer in answers
        if answer.first != answer.second
    ]
    lost = sum(flip.first == flip.label for flip in flips)
    won = sum(flip.second == flip.label for flip in flips)
    return Comparison(
        models=tuple(
            ComparedModel(
                file=str(path),
                sha256=file_digest(path),
                bytes=path.stat().st_size,
                accuracy=share_estimate(correct, n),
            )
            for path, correct in zip((first, second), right, strict=True)
        ),
        pictures=n,
        unreadable=tuple(unreadable),
        agreement=1 - len(flips) / n,
        lost=lost,
        won=won,
        drop=(lost - won) / n,
        upper_bound=drop_upper_bound(lost, won, examples=n, alpha=ALPHA),
        confidence=1 - ALPHA,
        margin=margin,
        proven=None
        if margin is None
        else inferiority_p_value(lost, won, examples=n, margin=margin) < ALPHA,
        flips=tuple(flips),
    )


def _class_names(model: PictureClassifier, folders: Sequence[str]) -> tuple[str, ...]:
    """Returns the names of a model's classes: its own labels, or the data's in their order."""
    if model.labels is not None:
        if unknown := sorted(set(folders) - set(model.labels)):
            raise UserError(
                f"{model.path}: knows no class {listing(unknown)}; its labels are "
                f"{shown(model.labels)}"
            )
        return model.labels
    if len(folders) != model.classes:
        raise UserError(
            f"{model.path}: has {model.classes} classes and no labels, the pictures have "
            f"{len(folders)} classes: without labels, expected as many, in the order of their names"
        )
    return tuple(folders)


def _answer_all(
    pictures: Sequence[LabelledPicture],
    open_pair: Callable[[], tuple[PictureClassifier, PictureClassifier]],
    names: Sequence[Sequence[str]],
) -> tuple[list[_Answer], list[str]]:
    """Returns what both models answer, and the names of pictures that can't be decoded."""
    own = threading.local()

    def answer(picture: LabelledPicture) -> _Answer | None:
        if not hasattr(own, "pair"):
            own.pair = open_pair()
        try:
            data = read_picture(picture.path)
            first, second = (
                labels[int(model.classify(data).argmax())]
                for model, labels in zip(own.pair, names, strict=True)
            )
        except PictureError:
            return None
        except LiteRTError as error:
            raise UserError(f"{picture.name}: {error}") from error
        return _Answer(picture, first, second)

    with ThreadPoolExecutor(usable_cores()) as pool:
        found = list(pool.map(answer, pictures))
    unreadable = [picture.name for picture, one in zip(pictures, found, strict=True) if one is None]
    return [one for one in found if one is not None], unreadable
