"""What finetune is told."""

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from components.common.config import Section, Severity, StageConfig
from components.common.documents.bundle import BackboneName
from components.common.documents.dataset import TaskName
from components.common.documents.encoder import Pooling
from components.common.tasks.image.config import Augment
from components.common.tasks.image.limits import BACKBONE_LIMITS
from components.common.tasks.image.weights import KERAS_FILES, PACKAGED, TORCH_FILES
from components.common.tasks.text.config import Lora
from components.common.training.config import (
    BatchSize,
    ClassWeights,
    LabelSmoothing,
    Optimizer,
    Positive,
)
from components.common.words.figures import listing


class SecondPhase(Section):
    """What follows a head that was trained alone, at a lower rate."""

    epochs: Annotated[int, Field(ge=1)]
    learning_rate: Positive = 3e-4


class Unfreeze(SecondPhase):
    """The second phase: the top of the backbone at a lower rate."""

    layers: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Which share of the backbone's layers, from the top, is trained; BatchNorm never is."""


class Adapters(SecondPhase, Lora):
    """The second phase: low-rank adapters in an encoder, which are merged into it in the end."""


class TrainConfig(StageConfig):
    """What the recipe's `train` section says alike of every task."""

    filled_in: ClassVar[frozenset[str]] = frozenset({"task"})

    task: TaskName
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Before the softmax head."""
    epochs: Annotated[int, Field(ge=1)] = 8
    """With the backbone frozen; a backbone without weights is trained whole. Where a second phase
    follows, they are short: the features of the examples, as they are, are computed once."""
    unfreeze: Unfreeze | None = None
    global_batch_size: BatchSize = 32
    optimizer: Optimizer = Optimizer()
    label_smoothing: LabelSmoothing = 0.0
    class_weights: ClassWeights = "none"
    early_stopping_patience: Annotated[int, Field(ge=1)] | None = None
    """Epochs without a better validation accuracy."""
    alike_classes: Severity = "warn"
    """Classes that the pretrained model doesn't tell apart: by the nearest neighbours of at most 50
    examples of each, before anything is trained."""
    mixed_precision: Literal["auto", "off"] = "off"
    """auto: where the device has it."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0

    @property
    def is_pretrained(self) -> bool:
        """Whether there are weights, so that a head can be trained on what they give."""
        return True

    @property
    def second_phase(self) -> SecondPhase | None:
        return self.unfreeze

    @property
    def augmentation(self) -> Section | None:
        """How examples are changed while a model trains."""
        return None

    def fits_head(self, examples: int) -> bool:
        """Whether a head on so many examples' features is fitted rather than trained."""
        return False

    def for_trial(self) -> Self:
        """Returns what asks for the same model, on little work."""
        return self.model_copy(
            update={
                "epochs": 1,
                "unfreeze": None,
                "global_batch_size": 4,
                "alike_classes": "ignore",
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        # A task's configuration is told by the task that it names.
        config = _OF_TASK[json.loads(text).get("task", "image")].model_validate_json(text)
        assert isinstance(config, cls)
        return config


class PictureTraining(Section):
    """What it says of a network that takes pictures."""

    backbone: BackboneName
    weights: str = "none"
    """`imagenet`, `none`, or the path of a weights file (local or gs://): HDF5 without the top
    (.h5), or for efficientnet_lite0 to 2 a state_dict of PyTorch (.pth)."""
    width: Annotated[float, Field(gt=0, le=2)] = 1.0
    """Width multiplier (alpha) of mobilenet_v2 and small_cnn."""
    augment: Augment = Augment()
    """Of the last phase alone: a head that is trained ahead of unfreeze sees pictures as they
    are. Leave out flips where left and right tell classes apart: arrows, hands, text."""


class FinetuneConfig(TrainConfig, PictureTraining):
    """The `train` section of a recipe for pictures."""

    locations: ClassVar[frozenset[str]] = frozenset({"weights"})

    task: Literal["image"] = "image"

    @property
    def is_pretrained(self) -> bool:
        return self.weights != "none"

    @property
    def augmentation(self) -> Section | None:
        return self.augment

    def for_trial(self) -> Self:
        return super().for_trial().model_copy(update={"weights": "none"})

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


class TextTraining(Section):
    """What it says of an encoder of texts."""

    encoder: str = "minilm_l6"
    """Whose weights and vocabulary are taken: minilm_l6, which comes as a package, or the folder of
    a BERT, MiniLM, DistilBERT or ELECTRA (local or gs://) with config.json, vocab.txt and
    model.safetensors."""
    pooling: Pooling = "mean"
    class_descriptions: Mapping[str, str] = {}
    """Class -> what its texts are, in words; one that is left out is described by its name. The
    report says what these descriptions tell apart without any training."""
    lora: Adapters | None = None
    """In place of unfreeze: of an encoder whose own weights stay, a few adapters learn."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Of unfreeze: which share of the learning rate of the block above a block has."""
    fit_head_up_to: Annotated[int, Field(ge=0)] = 2000
    """On no more training examples than these, the head is not trained for `epochs`, but fitted at
    a strength of regularization that the validation split chooses. 0 trains it always."""


class TextFinetuneConfig(TrainConfig, TextTraining):
    """The `train` section of a recipe for texts."""

    locations: ClassVar[frozenset[str]] = frozenset({"encoder"})

    task: Literal["text"] = "text"

    @property
    def second_phase(self) -> SecondPhase | None:
        return self.lora or self.unfreeze

    def for_trial(self) -> Self:
        phases = {"unfreeze": self.unfreeze, "lora": self.lora}
        short = {
            name: phase and phase.model_copy(update={"epochs": 1}) for name, phase in phases.items()
        }
        return super().for_trial().model_copy(update=short)

    def fits_head(self, examples: int) -> bool:
        return examples <= self.fit_head_up_to

    @model_validator(mode="after")
    def _one_second_phase(self) -> Self:
        if self.lora is not None and self.unfreeze is not None:
            raise ValueError("lora and unfreeze: state one of them, for there is one second phase")
        return self


_OF_TASK: Mapping[TaskName, type[TrainConfig]] = {
    "image": FinetuneConfig,
    "text": TextFinetuneConfig,
}
