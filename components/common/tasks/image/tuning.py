"""How a backbone becomes a classifier of pictures: where its weights come from, and go.

What loads TensorFlow is imported where it is called, since a key is made without it.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.common.digests import file_digest
from components.common.documents.bundle import Architecture
from components.common.errors import UserError
from components.common.storage import open_storage
from components.common.tasks.image.weights import TORCH_FILES, packaged_weights


def identify_weights(config: Any) -> str:
    """Returns what enters the key: the content of the weights, never where they lie.

    Raises:
      UserError: the weights are not there.
    """
    with tempfile.TemporaryDirectory() as scratch:
        path = local_weights(config, Path(scratch))
        if path is not None:
            return file_digest(path)
    # What tf_keras downloads is one file for each backbone, whose digest it knows.
    return "tf-keras" if config.weights == "imagenet" else "none"


def fetch_weights(config: Any, scratch: Path) -> str:
    """Returns `none`, `imagenet` where tf_keras downloads them, or the path of a local file.

    Raises:
      UserError: the file, or the package that holds it, is not there.
    """
    return str(local_weights(config, scratch) or config.weights)


def local_weights(config: Any, scratch: Path) -> Path | None:
    """Returns a local file with the weights.

    Args:
      config: names the weights.
      scratch: a folder for a file that is not on this machine's file system.

    Returns:
      None where there are no weights, or tf_keras downloads them itself.

    Raises:
      UserError: the file, or the package that holds it, is not there.
    """
    if config.weights == "none":
        return None
    if config.weights == "imagenet":
        return packaged_weights(config.backbone)
    folder, _, name = config.weights.rpartition("/")
    storage = open_storage(folder)
    if not storage.exists(name):
        raise UserError(
            f"train.weights: {config.weights} does not exist; give imagenet, none, or a weights "
            "file"
        )
    path = storage.local_path(name)
    if path is None:
        path = scratch / name
        storage.download(name, path)
    return path


def describe_architecture(config: Any, weights: str) -> Architecture:
    """Returns what the classifier's graph is built from, whatever its weights."""
    return Architecture(
        backbone=config.backbone,
        width=config.width,
        dropout=config.dropout,
        dropout_seed=config.seed,
    )


def assign_pretrained(model: Any, config: Any, weights: str) -> None:
    """Puts pretrained weights into the backbone of a classifier.

    Args:
      model: as `build_classifier` makes it.
      config: names the backbone.
      weights: `none`, `imagenet` or the path of a local file.

    Raises:
      UserError: the weights can't be had, or do not fit.
    """
    from components.common.data.torch_weights import read_torch_weights
    from components.common.keras import keras
    from components.common.tasks.image.models.pretrained import (
        adapt_to_order,
        assign_imagenet,
        assign_torch_weights,
    )

    if weights == "none":
        return
    if weights == "imagenet":
        assign_imagenet(model, config.backbone, width=config.width, setting="train.weights")
        return
    backbone = keras.Model(model.input, model.get_layer("pool").input)
    try:
        if Path(weights).suffix in TORCH_FILES:
            assign_torch_weights(backbone, read_torch_weights(Path(weights)))
        else:
            backbone.load_weights(weights)
    except (ValueError, KeyError, OSError) as error:
        raise UserError(
            f"train.weights: {config.weights} does not fit the backbone {config.backbone} "
            f"of width {config.width:g} ({error}); give a file without the top that was saved "
            "from this backbone"
        ) from error
    adapt_to_order(model, config.backbone)


def describe_classes(config: Any, session: Any) -> None:
    """Returns nothing: words are no pictures."""


def changes_examples(config: Any) -> bool:
    """Whether a picture is another one in every epoch."""
    from components.common.tasks.image.augmentation import changes_pictures

    return changes_pictures(config.augment)


def adapt(model: Any, config: Any) -> Any:
    """Returns the model: its own layers learn."""
    return model


def rates(model: Any, config: Any) -> Mapping[str, float]:
    """Returns nothing: all layers learn at one rate."""
    return {}


def merge(learner: Any, model: Any) -> None:
    """Does nothing: the model has learned itself."""
