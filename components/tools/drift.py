"""drift: where a `.tflite` departs from the model that it was made from, layer by layer, and why.

The model is a bundle folder, from which our own code builds the graph. A `.keras` file is not
taken: Keras runs what such a file names, and ignores `safe_mode` where it is no zip. This command
alone imports TensorFlow.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain, islice, zip_longest
from pathlib import Path

import numpy as np

from components.common.documents.bundle import ModelBundle
from components.common.documents.image import InputSpec
from components.common.drift.causes import describe_layers, find_cause
from components.common.drift.tracing import trace_drift
from components.common.errors import UserError
from components.common.lite.litert import LiteRTError
from components.common.models.bundles import load_bundle_model
from components.common.tasks.image.export import preparation
from components.common.tasks.image.normalization import AS_IT_IS
from components.common.tasks.image.preparation.spec import PictureError
from components.common.words.figures import shown
from components.tools.classifiers import PictureClassifier
from components.tools.documents import Drift
from components.tools.models import read_model
from components.tools.pictures import LabelledPicture, read_picture

PICTURES = 32
"""How many are looked at, in turn of each class: layers don't change with more."""


def drift(bundle: Path, model: Path, pictures: Sequence[LabelledPicture]) -> Drift:
    """Compares a file with its model.

    Args:
      bundle: the folder of a model bundle: bundle.json and weights.npz.
      model: the `.tflite` file.
      pictures: of which some are looked at.

    Raises:
      UserError: the bundle or the file is none, they take different pictures, they have no layer
        in common, or no picture can be decoded.
    """
    try:
        described = ModelBundle.read(bundle)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(
            f"{bundle}: holds no bundle.json; expected a model bundle, such as "
            "<data root>/store/finetune/<key>/output"
        ) from error
    classifier = PictureClassifier(model, fit=None, normalization=AS_IT_IS)
    own = described.input
    if not isinstance(own, InputSpec):
        raise UserError(f"{bundle}: its model takes no pictures; expected one that does")
    if classifier.classes != (classes := len(described.class_names)):
        raise UserError(
            f"{model}: tells {classifier.classes} classes apart, the model of {bundle} {classes}: "
            "expected the same"
        )
    found, unreadable = [], []
    for picture in _in_turns(pictures, PICTURES):
        try:
            found.append(classifier.view.see(read_picture(picture.path))[0])
        except PictureError:
            unreadable.append(picture.name)
    if not found:
        raise UserError(f"none of {len(pictures)} pictures can be decoded: {shown(unreadable)}")
    if found[0].shape != own.shape:
        raise UserError(
            f"{model}: takes pictures of {_by(found[0].shape)}, the model of {bundle} such of "
            f"{_by(own.shape)}: expected the same"
        )
    try:
        trace = trace_drift(
            load_bundle_model(bundle),
            read_model(model),
            np.stack(found),
            preparation=preparation(own),
        )
    except (LiteRTError, ValueError) as error:
        raise UserError(f"{model}: {error}") from error
    return Drift(
        model=str(model),
        bundle=str(bundle),
        pictures=len(found),
        unreadable=tuple(unreadable),
        layers=describe_layers(trace),
        finding=find_cause(trace),
    )


def _by(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))


def _in_turns(pictures: Sequence[LabelledPicture], count: int) -> list[LabelledPicture]:
    """Returns some pictures, one of each class after the other."""
    by_class: dict[str, list[LabelledPicture]] = defaultdict(list)
    for picture in pictures:
        by_class[picture.label].append(picture)
    turns = chain.from_iterable(zip_longest(*by_class.values()))
    return list(islice((picture for picture in turns if picture is not None), count))
