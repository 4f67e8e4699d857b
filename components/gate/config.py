"""What the gate is told: the budgets."""

from typing import Annotated, ClassVar

from pydantic import Field

from components.common.config import StageConfig
from components.common.documents.decision import Budgets, Objective

Drop = Annotated[float, Field(gt=0, lt=1)]


class GateConfig(StageConfig):
    """The recipe's `budgets` section. With no accuracy_drop stated, nothing is blessed.

    Whatever is stated, a candidate must be proven better than always answering the most
    frequent class, and may not get nothing right of a class that has enough test examples.
    """

    filled_in: ClassVar[frozenset[str]] = frozenset({"balanced", "model_name"})

    accuracy_drop: Drop | None = None
    """Non-inferiority margin against float32, as a share: 0.02 is two points."""
    blessed_accuracy_drop: Drop | None = None
    """The margin against the blessed model; accuracy_drop where not stated."""
    class_drop: Drop | None = None
    """A class that is significantly worse than this blocks."""
    slice_drop: Drop | None = None
    """Likewise for a slice."""
    min_accuracy: Annotated[float, Field(gt=0, lt=1)] | None = None
    """The lower end of the accuracy's 95 % interval must reach it."""
    min_class_recall: Annotated[float, Field(gt=0, lt=1)] | None = None
    """The recall of every class must be proven to lie above it (Clopper and Pearson's bound,
    at `confidence`): 0.8 takes 14 test examples of each class, with several candidates more."""
    size_bytes: Annotated[int, Field(gt=0)] | None = None
    """Of the `.tflite` file."""
    zipped_bytes: Annotated[int, Field(gt=0)] | None = None
    """After deflate, as app stores and HTTP servers send it."""
    xz_bytes: Annotated[int, Field(gt=0)] | None = None
    """As an .xz file, for those who send it so; files over 16 MiB count raw."""
    zstd_bytes: Annotated[int, Field(gt=0)] | None = None
    """As a .zst file at level 19, likewise."""
    latency_ms: Annotated[float, Field(gt=0)] | None = None
    """p50 at one thread, on the machine that runs benchmark."""
    objective: Objective = "zipped_bytes"
    """What the winner has least of, among those that meet every budget."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """One-sided, shared over the candidates (Holm)."""
    balanced: bool = False
    """Whether every class counts the same in training; filled in by the recipe. Then the proof
    that a candidate is better than a constant answer is of its mean recall, not its accuracy."""
    model_name: str = ""
    """The registry's name of the model."""

    def budgets(self) -> Budgets:
        return Budgets(**self.model_dump(exclude={"model_name"}))
