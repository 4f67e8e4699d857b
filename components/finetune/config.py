"""What finetune is told."""

from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from components.common.config import Section, StageConfig
from components.common.documents.bundle import BackboneName
from components.common.tasks.image.config import Augment
from components.common.tasks.image.limits import BACKBONE_LIMITS
from components.common.tasks.image.weights import PACKAGED
from components.common.training.config import (
    BatchSize,
    ClassWeights,
    LabelSmoothing,
    Optimizer,
    Positive,
)
from components.common.words.figures import listing

KERAS_FILES = (".h5", ".hdf5")
TORCH_FILES = (".pth", ".pt", ".bin")
"""Which weights files are read, by how their names end."""


class Unfreeze(Section):
    """The second phase: the top of the backbone at a lower rate."""

    epochs: Annotated[int, Field(ge=1)]
    learning_rate: Positive = 3e-4
    layers: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Which share of the backbone's layers, from the top, is trained; BatchNorm never is."""


class FinetuneConfig(StageConfig):
    """The recipe's `train` section."""

    locations: ClassVar[frozenset[str]] = frozenset({"weights"})

    backbone: BackboneName
    weights: str = "none"
    """`imagenet`, `none`, or the path of a weights file (local or gs://): HDF5 without the top
    (.h5), or for efficientnet_lite0 to 2 a state_dict of PyTorch (.pth)."""
    width: Annotated[float, Field(gt=0, le=2)] = 1.0
    """Width multiplier (alpha) of mobilenet_v2 and small_cnn."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Before the softmax head."""
    epochs: Annotated[int, Field(ge=1)] = 8
    """With the backbone frozen; a backbone without weights is trained whole. Where unfreeze
    follows, they are short: the features of the pictures, without augmentation, are computed
    once."""
    unfreeze: Unfreeze | None = None
    global_batch_size: BatchSize = 32
    optimizer: Optimizer = Optimizer()
    augment: Augment = Augment()
    """Of the last phase alone: a head that is trained ahead of unfreeze sees pictures as they
    are. Leave out flips where left and right tell classes apart: arrows, hands, text."""
    label_smoothing: LabelSmoothing = 0.0
    class_weights: ClassWeights = "none"
    early_stopping_patience: Annotated[int, Field(ge=1)] | None = None
    """Epochs without a better validation accuracy."""
    mixed_precision: Literal["auto", "off"] = "off"
    """auto: where the device has it."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0

    @model_validator(mode="after")
    def _weights_can_be_read(self) -> Self:
        suffix = PurePosixPath(self.weights).suffix
        if self.weights in ("none", "imagenet", "") or suffix in KERAS_FILES:
            return self
        if suffix not in TORCH_FILES:
            raise ValueError(
                f"weights {self.weights}: no file of weights that is read; give none, imagenet, "
                f"an HDF5 file ({listing(KERAS_FILES)}), as save_weights('weights.h5') writes it "
                "of a Keras model that a TensorFlow checkpoint was loaded into, or for "
                f"{listing(PACKAGED)} a file of PyTorch ({listing(TORCH_FILES)})"
            )
        if self.backbone not in PACKAGED:
            raise ValueError(
                f"weights {self.weights}: files of PyTorch are read for {listing(PACKAGED)} "
                f"alone; give an HDF5 file of {self.backbone} (.h5)"
            )
        return self

    @model_validator(mode="after")
    def _width_is_taken(self) -> Self:
        if self.width != 1 and not BACKBONE_LIMITS[self.backbone].widens:
            raise ValueError(f"width {self.width:g}: the backbone {self.backbone} has but one, 1")
        return self
