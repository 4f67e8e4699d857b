"""The values that every stage which trains shares."""

from typing import Annotated, Literal

from pydantic import Field

from components.common.config import Section

Positive = Annotated[float, Field(gt=0)]

NonNegative = Annotated[float, Field(ge=0)]

BatchSize = Annotated[int, Field(ge=1)]

LabelSmoothing = Annotated[float, Field(ge=0, lt=1)]

ClassWeights = Literal["none", "balanced"]


class Optimizer(Section):
    name: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: Positive = 1e-3
    """The peak, after the warm-up."""
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup_epochs: NonNegative = 0.0
    weight_decay: NonNegative = 0.0
    """Decoupled, for adamw; as L2 on the kernels otherwise."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Of sgd alone."""


class Distillation(Section):
    """Learning from what another model, the teacher, makes of the same examples, as well.

    The loss is the teacher's part with `weight`, and that of the labels with the rest
    (G. Hinton, O. Vinyals, J. Dean, Distilling the knowledge in a neural network, 2015).
    """

    temperature: Positive = 3.0
    """Divides the logits of both, so that the teacher's small probabilities count too."""
    weight: Annotated[float, Field(gt=0, le=1)] = 0.7
