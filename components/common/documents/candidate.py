"""A candidate, which quantize writes."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from components.common.documents.base import Document, Lineage, Part
from components.common.documents.diagnosis import Diagnosis
from components.common.documents.variant import StepSpec


class SchemeSpec(Part):
    """A quantization scheme: how a model's numbers are kept in a `.tflite` file."""

    kind: str
    """`float32`, `int8`: what a recipe calls it."""
    backend: str
    """What converts: `tflite_converter`."""
    settings: Mapping[str, Any]
    """What the scheme depends on besides; empty where its kind says all."""


class FileStepResult(StepSpec):
    """A step on the finished `.tflite` file, and what it came to."""

    bytes_before: int
    bytes_after: int
    zipped_before: int
    zipped_after: int


class CandidateSpec(Part):
    """A candidate as the recipe declares it."""

    id: str
    variant: str
    """Of which it is made."""
    scheme: SchemeSpec
    file_steps: tuple[StepSpec, ...] = ()
    """What is done to the finished file, in order."""


class TensorSpec(Part):
    """An input or output of a TFLite model; `real = scale * (quantized - zero_point)`."""

    name: str
    dtype: Literal["float32", "uint8", "int8", "int32"]
    shape: tuple[int, ...]
    scale: float
    """0 where the tensor is not quantized."""
    zero_point: int


class TensorSparsity(Part):
    """Zeros counted in a constant tensor of the `.tflite` file."""

    tensor: str
    dtype: str
    elements: int
    zeros: int


class TFLiteModel(Part):
    """What was found in a `.tflite` file."""

    size_bytes: int
    zipped_bytes: int
    """After deflate, as an app store or an HTTP server would send it."""
    xz_bytes: int | None
    """As an .xz file, as installers and over-the-air updates send it. Deflate wastes a tenth on
    sparse weights. None where the file is too large for slow codecs."""
    zstd_bytes: int | None
    """As a .zst file at level 19: nearly as small, and unpacked many times as fast. None where the
    file is too large likewise."""
    sha256: str
    input: TensorSpec
    """The first by name, where the model takes several, which are alike."""
    output: TensorSpec
    operators: Mapping[str, int]
    """Operator name -> count."""
    sparsity: tuple[TensorSparsity, ...]
    """For each weight tensor of rank 2 or more."""
    parameters: int
    """Weights and biases, as the file counts them: BatchNorm is folded into these."""
    macs: int
    """Multiply-accumulates of one inference, of the operators that tell by their shapes."""


class Candidate(Document):
    """A `model.tflite` beside it, or the reason why it could not be made."""

    file_name: ClassVar[str] = "candidate.json"

    candidate_id: str
    variant: str
    """The id of the variant that it was made from."""
    scheme: SchemeSpec
    file_steps: tuple[FileStepResult, ...] = ()
    """In the order in which they were applied."""
    words: str
    """What was done to the model, for people: the scheme, then the steps on the file."""
    class_names: tuple[str, ...]
    model: TFLiteModel | None
    failure: str | None
    """One or two sentences where the model could not be made."""
    diagnosis: Diagnosis | None = None
    """Where it lost more than it may at first: why, and what was done about it."""
    training_faults: tuple[str, ...] = ()
    """Of the bundle that it was made from."""
    lineage: Lineage


BASELINE_ID = "float32"
"""The candidate against which all others are compared: the dense float32 model."""
