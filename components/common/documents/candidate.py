"""A candidate, which quantize writes."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from components.common.documents.base import Document, Lineage, Part

Scheme = Literal["float32", "float16", "dynamic_range", "int8"]


class CandidateSpec(Part):
    """A candidate as the recipe declares it."""

    id: str
    variant: str
    """Of which it is made."""
    scheme: Scheme


class TensorSpec(Part):
    """An input or output of a TFLite model; `real = scale * (quantized - zero_point)`."""

    name: str
    dtype: Literal["float32", "uint8", "int8"]
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
    sha256: str
    input: TensorSpec
    output: TensorSpec
    operators: Mapping[str, int]
    """Operator name -> count."""
    sparsity: tuple[TensorSparsity, ...]
    """For each weight tensor of rank 2 or more."""


class Candidate(Document):
    """A `model.tflite` beside it, or the reason why it could not be made."""

    file_name: ClassVar[str] = "candidate.json"

    candidate_id: str
    variant: str
    """The id of the variant that it was made from."""
    scheme: Scheme
    class_names: tuple[str, ...]
    model: TFLiteModel | None
    failure: str | None
    """One or two sentences where the model could not be made."""
    training_faults: tuple[str, ...] = ()
    """Of the bundle that it was made from."""
    lineage: Lineage


BASELINE_ID = "float32"
"""The candidate against which all others are compared: the dense float32 model."""
