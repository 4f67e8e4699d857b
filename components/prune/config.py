"""What prune is told."""

import re
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from components.common.config import StageConfig
from components.common.tasks.image.config import Augment
from components.common.training.config import BatchSize, ClassWeights, LabelSmoothing, Optimizer

Sparsity = Annotated[float, Field(ge=0, lt=1)]


class PruneConfig(StageConfig):
    """The recipe's `prune` section: magnitude pruning with polynomial decay.

    What it does not state of augment, global_batch_size, label_smoothing and class_weights is
    as in `train`.
    """

    LEARNED_ALIKE: ClassVar[frozenset[str]] = frozenset(
        {"augment", "global_batch_size", "label_smoothing", "class_weights"}
    )
    """The fields that the recipe fills in."""

    final_sparsity: Sparsity = 0.5
    initial_sparsity: Sparsity = 0.0
    epochs: Annotated[int, Field(ge=1)] = 8
    begin: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Where pruning begins, as a share of all steps (tfmot's begin_step)."""
    end: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Where the final sparsity is reached (tfmot's end_step); the rest recovers."""
    frequency: Annotated[int, Field(ge=1)] = 20
    """Steps between two updates of the masks."""
    keep_dense: tuple[str, ...] = ()
    """Regular expressions of layer names to leave dense, beside depthwise kernels, the
    first convolution and the head, which always stay dense."""
    optimizer: Optimizer = Optimizer(learning_rate=3e-4)
    augment: Augment = Augment()
    global_batch_size: BatchSize = 32
    label_smoothing: LabelSmoothing = 0.0
    class_weights: ClassWeights = "none"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.initial_sparsity > self.final_sparsity:
            raise ValueError(
                f"initial_sparsity {self.initial_sparsity:g} is above "
                f"final_sparsity {self.final_sparsity:g}"
            )
        for pattern in self.keep_dense:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(
                    f"keep_dense: {pattern!r} is no regular expression: {error}"
                ) from error
        if self.begin >= self.end:
            raise ValueError(f"begin {self.begin:g} must lie before end {self.end:g}")
        return self
