"""A model bundle, which finetune and compress write."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from components.common.documents.base import Document, Lineage, Part
from components.common.documents.encoder import TextArchitecture
from components.common.documents.evaluation import Estimate
from components.common.documents.image import InputSpec
from components.common.documents.text import TextSpec

BackboneName = Literal[
    "small_cnn",
    "efficientnet_lite0",
    "efficientnet_lite1",
    "efficientnet_lite2",
    "mobilenet_v2",
    "resnet50_v2",
    "inception_v3",
    "vgg16",
]

HEAD = "head"
"""The layer that gives a classifier's logits, whatever its architecture."""


class Architecture(Part):
    """What a graph that takes pictures is built from, beside its input and its classes."""

    task: Literal["image"] = "image"
    backbone: BackboneName
    width: Annotated[float, Field(gt=0, le=2)] = 1.0
    depth: Annotated[float, Field(gt=0, le=1, exclude_if=lambda share: share == 1)] = 1.0
    """The share of its backbone's blocks that it has."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    dropout_seed: int = 0
    filters: Annotated[
        Mapping[str, Annotated[int, Field(ge=1)]], Field(exclude_if=lambda filters: not filters)
    ] = {}
    """Convolution -> how many filters it has left, where some were cut."""
    shrink: Annotated[int, Field(ge=1, le=8, exclude_if=lambda factor: factor == 1)] = 1
    """How many pixels a side are averaged to one before the backbone sees a picture."""

    @property
    def name(self) -> str:
        return self.backbone


AnyArchitecture = Annotated[Architecture | TextArchitecture, Field(discriminator="task")]
"""What a classifier's graph is built from, beside its input and its classes."""

ModelInput = Annotated[InputSpec | TextSpec, Field(discriminator="task")]
"""What the Keras model expects of examples that are prepared for it."""


class Epoch(Part):
    """One epoch of training."""

    phase: str
    """`head`, `fine_tune`, or the kind of a compression step."""
    epoch: int
    """Counted from 1 through all phases of the stage."""
    learning_rate: float
    """At the end of the epoch."""
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    sparsity: float | None = None


class LayerSparsity(Part):
    """How sparse a kernel came out."""

    layer: str
    parameters: int
    zeros: int
    pruned: bool
    """False where a rule kept the layer dense."""


class StepFacts(Part):
    """What a compression step did to a model, and the words that it has for itself."""

    kind: str
    activity: str
    """`pruning`: what pays, or buys nothing."""
    title: str
    """`prune 50 %`: the step with the figures that matter most."""
    sparsity: tuple[LayerSparsity, ...] = ()
    """Per kernel; empty for a step that is not after zeros."""
    target_sparsity: float | None = None


class AlikeClasses(Part):
    """Two classes that a pretrained model doesn't tell apart before it is trained.

    Of some training examples of both, the nearest neighbours are of either class by chance.
    """

    one: str
    other: str
    strangers: int
    """Neighbours that are of the other class than the example whose they are,"""
    neighbours: int
    """of how many,"""
    expected: float
    """and how many would be, were the two one class."""
    examples: str
    """What examples are called: `pictures`."""
    pairs: tuple[tuple[str, str], ...]
    """Ids of an example of the one and a neighbour of the other, the most alike first."""

    def told(self) -> str:
        """Returns it in words, with what to do."""
        return (
            f"{self.one} and {self.other} can't be told apart by what the pretrained model makes "
            f"of their {self.examples}: {self.strangers} of {self.neighbours} nearest neighbours "
            f"are of the other class, where chance makes it {self.expected:.0f}. Where they mean "
            "the same, make one class of them (data.labels); else look at their labels"
        )


class ModelBundle(Document):
    """A trained model: `weights.npz` and `predictions.npz` lie beside it.

    `predictions.npz` holds for validation and for test: `<split>_ids` (bytes [n]),
    `<split>_labels` (int64 [n]) and `<split>_probabilities` (float32 [n, classes]).
    """

    file_name: ClassVar[str] = "bundle.json"

    class_names: tuple[str, ...]
    architecture: AnyArchitecture
    input: ModelInput
    parameters: int
    frozen_layers: tuple[str, ...] = ()
    """The layers that training left as they were, and that no step trains or prunes."""
    history: tuple[Epoch, ...]
    best_epoch: int
    steps: tuple[StepFacts, ...] = ()
    """What was done to the parent's model; empty for the one that finetune trained."""
    faults: tuple[str, ...] = ()
    """What is wrong with the training, in whole sentences without a full stop."""
    zero_shot: Annotated[Estimate | None, Field(exclude_if=lambda each: each is None)] = None
    """The accuracy on validation of naming the class whose description is the most alike, before
    any training; None where classes have no descriptions."""
    alike_classes: Annotated[tuple[AlikeClasses, ...], Field(exclude_if=lambda each: not each)] = ()
    lineage: Lineage
