"""Distilling: another, smaller model learns what the parent knows, and takes its place.

The student is built anew: narrower, of fewer blocks, on another backbone, or seeing smaller
pictures. It learns from the parent's logits beside the labels, from ImageNet weights where its
backbone has them at full width; where no block is missing, BatchNorm then stays as these have it.
To see smaller pictures, its graph averages squares of pixels before anything else, so that a device
gives it the same picture as its parent.
"""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from components.common.documents.bundle import Architecture, BackboneName, ModelInput, StepFacts
from components.common.documents.dataset import TaskName
from components.common.documents.image import ImageSpec
from components.common.errors import UserError
from components.common.tasks.image.limits import BACKBONE_LIMITS
from components.common.training.config import Distillation, Optimizer
from components.compress.steps.learning import Learning, learn
from components.compress.steps.step import Compressed, Student

if TYPE_CHECKING:
    from components.common.training.session import Session

KIND = "distil"


class Settings(Learning):
    """A recipe's step `distil`: a student that takes the place of the model before it.

    What is not stated of backbone and dropout is as in `train`, too.
    """

    OF_TASK: ClassVar[TaskName] = "image"
    LEARNED_ALIKE: ClassVar[frozenset[str]] = Learning.LEARNED_ALIKE | {"backbone", "dropout"}

    backbone: BackboneName = "small_cnn"
    width: Annotated[float, Field(gt=0, le=2)] = 1.0
    """Width multiplier (alpha) of mobilenet_v2 and small_cnn."""
    depth: Annotated[float, Field(gt=0, le=1)] = 1.0
    """The share of blocks that are left of each stage of efficientnet_lite*, of small_cnn's
    three, rounded up."""
    shrink: Annotated[int, Field(ge=1, le=8)] = 1
    """How many pixels a side are averaged to one: 2 shows the student pictures of half the size."""
    weights: Literal["imagenet", "none"] | None = None
    """What it begins with; without it, imagenet where the backbone has such weights and width
    is 1."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Before the softmax head."""
    epochs: Annotated[int, Field(ge=1)] = 20
    optimizer: Optimizer = Optimizer(warmup_epochs=1.0)
    distillation: Distillation = Distillation()
    """How much it learns from the parent's logits."""

    @model_validator(mode="after")
    def _backbone_takes_them(self) -> Self:
        if "backbone" in self.model_fields_set and (misfit := self._explain_misfit()):
            raise ValueError(misfit)
        return self

    @property
    def begins_with(self) -> Literal["imagenet", "none"]:
        if self.weights is not None:
            return self.weights
        limits = BACKBONE_LIMITS[self.backbone]
        return "imagenet" if limits.imagenet and self.width == 1 else "none"

    def explain_misfit(self, *, side: int, channels: int) -> str | None:
        """Says by its name which setting does not fit; nothing, where all do.

        Args:
          side: of the pictures, in pixels.
          channels: of the pictures.
        """
        limits = BACKBONE_LIMITS[self.backbone]
        if misfit := self._explain_misfit():
            return misfit
        if side % self.shrink:
            return f"shrink: {self.shrink} does not divide pictures of {side} pixels"
        if side // self.shrink < limits.min_image_size:
            return (
                f"{'shrink' if self.shrink > 1 else 'backbone'}: {self.backbone} takes pictures of "
                f"{limits.min_image_size} pixels or more, not {side // self.shrink}"
            )
        if channels not in limits.channels:
            return (
                f"backbone: {self.backbone} takes pictures of "
                f"{' or '.join(map(str, limits.channels))} channels, not {channels}"
            )
        return None

    def _explain_misfit(self) -> str | None:
        limits = BACKBONE_LIMITS[self.backbone]
        if self.width != 1 and not limits.widens:
            return f"width: {self.width:g} is none of the backbone {self.backbone}, which has but 1"
        if self.depth != 1 and not limits.thins:
            return f"depth: {self.depth:g} is none of the backbone {self.backbone}, which has but 1"
        if self.weights == "imagenet" and not limits.imagenet:
            return f"weights: there are no imagenet weights for the backbone {self.backbone}"
        return None


def identify(settings: Settings) -> Mapping[str, str]:
    """Returns what enters the key for the weights that the student begins with: their content.

    Raises:
      UserError: the package that holds them is not installed.
    """
    from components.common.digests import file_digest
    from components.common.tasks.image.weights import packaged_weights

    if settings.begins_with == "none":
        return {}
    path = packaged_weights(settings.backbone)
    return {"weights": file_digest(path) if path is not None else "tf-keras"}


def apply(model: Any, settings: Settings, session: "Session") -> Compressed:
    """Trains a student, which takes the model's place.

    Raises:
      Terminated: the process was told to end; the state is kept.
      UserError: the student can't take these pictures, or its weights can't be had.
    """
    from components.common.models.bundles import frozen_layers
    from components.common.tasks.graphs import adapt_input, input_spec

    image = session.manifest.spec
    assert isinstance(image, ImageSpec), "a recipe of another task has no such step"
    if misfit := settings.explain_misfit(side=image.width, channels=image.channels):
        raise UserError(f"{KIND}.{misfit}")
    architecture = Architecture(
        backbone=settings.backbone,
        width=settings.width,
        depth=settings.depth,
        shrink=settings.shrink,
        dropout=settings.dropout,
        dropout_seed=settings.seed,
    )
    spec = input_spec(architecture, image)
    student = _build(architecture, spec, settings, classes=len(session.manifest.class_names))

    def load_teacher() -> Any:
        return adapt_input(session.teacher(settings.distillation), session.spec, spec)

    learned = learn(
        student,
        settings,
        dataclasses.replace(session, spec=spec, load_parent=load_teacher),
        kind=KIND,
    )
    return Compressed(
        model=student,
        history=learned.history,
        best_epoch=learned.best_epoch,
        facts=StepFacts(kind=KIND, activity="distilling", title=_title(settings, image)),
        measurements=learned.measurements,
        student=Student(
            architecture=architecture, input=spec, frozen_layers=frozen_layers(student)
        ),
    )


def _build(
    architecture: Architecture, spec: ModelInput, settings: Settings, *, classes: int
) -> Any:
    from components.common.keras import keras
    from components.common.tasks.graphs import build_classifier
    from components.common.tasks.image.models.pretrained import assign_imagenet

    keras.utils.set_random_seed(settings.seed)  # Whatever was drawn before, in other steps.
    student = build_classifier(architecture, spec, classes)
    if settings.begins_with == "imagenet":
        assign_imagenet(student, settings.backbone, width=settings.width, setting=f"{KIND}.weights")
        for layer in student.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                # What a missing block would have added is missing in the statistics behind it.
                layer.trainable = settings.depth < 1
    return student


def _title(settings: Settings, image: ImageSpec) -> str:
    """Returns such as `distil into mobilenet_v2, width 0.5, 48 px`."""
    parts = [f"distil into {settings.backbone}"]
    if settings.width != 1:
        parts.append(f"width {settings.width:g}")
    if settings.depth != 1:
        parts.append(f"depth {settings.depth:g}")
    if settings.shrink > 1:
        parts.append(f"{image.width // settings.shrink} px")
    return ", ".join(parts)
