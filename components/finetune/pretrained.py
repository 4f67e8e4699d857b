"""Pretrained weights: from what the recipe names into the layers of a classifier."""

from pathlib import Path
from typing import Any

from components.common.data.torch_weights import read_torch_weights
from components.common.errors import UserError
from components.common.keras import keras
from components.common.tasks.image.models.pretrained import (
    adapt_to_order,
    assign_imagenet,
    assign_torch_weights,
)
from components.finetune.config import TORCH_FILES, FinetuneConfig


def assign_pretrained(model: Any, config: FinetuneConfig, weights: str) -> None:
    """Puts pretrained weights into the backbone of a classifier.

    Args:
      model: as `build_classifier` makes it.
      config: names the backbone.
      weights: `none`, `imagenet` or the path of a local file.

    Raises:
      UserError: the weights can't be had, or do not fit.
    """
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
