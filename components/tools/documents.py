"""What the commands find, as `--json` prints it."""

from collections.abc import Mapping

from components.common.documents.base import Part
from components.common.documents.benchmark import BenchmarkMachine, Latency
from components.common.documents.diagnosis import Finding, LayerNoise
from components.common.documents.evaluation import Estimate


class Sizes(Part):
    """Of a file, in bytes: as it is, and as it would be sent."""

    raw: int
    zip: int
    """After deflate at its highest level, as app stores and HTTP servers send it."""
    xz: int | None
    """As an .xz file at that program's own level, 6; None of a file that takes it too long."""
    zstd: int | None
    """As a .zst file at level 19; None likewise."""


class Interface(Part):
    """An input or output; `real = scale * (stored - zero_point)`."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float
    """0 where it is not quantized."""
    zero_point: int


class LayerCosts(Part):
    """An operator, in the order in which they run."""

    operator: str
    output: str
    """The name of what it makes."""
    shape: tuple[int, ...]
    """Of what it makes."""
    computes_in: str
    """The type of what it makes."""
    weights_in: str
    """The type of its largest constant; empty without one."""
    parameters: int
    macs: int | None
    """Multiply-accumulates of one run; null where shapes don't tell."""


class StoredTensor(Part):
    """A constant of the file; tensors that share their content are one."""

    name: str
    also: int
    """How many more tensors share the content."""
    dtype: str
    shape: tuple[int, ...]
    bytes: int
    zeros: float | None
    """Share of the values that are 0; null for types that are no weights."""


class Inspection(Part):
    """What a `.tflite` file holds."""

    file: str
    sha256: str
    sizes: Sizes
    inputs: tuple[Interface, ...]
    outputs: tuple[Interface, ...]
    operators: Mapping[str, int]
    """Operator -> how many, over all subgraphs."""
    layers: tuple[LayerCosts, ...]
    parameters: int
    macs: int
    """Of the layers that can be counted."""
    uncounted: tuple[str, ...]
    """Operators that may multiply, and don't tell how often."""
    computes_in: Mapping[str, float]
    """Type -> its share of the multiply-accumulates."""
    float_operators: Mapping[str, int]
    """Of a model that computes in integers as well: what computes in float, and how many."""
    tensors: tuple[StoredTensor, ...]
    """The largest first."""
    sparsity: float
    """Share of zeros among all weights."""
    bytes_by_use: Mapping[str, int]
    """The whole file: weights, and what is overhead."""
    files: Mapping[str, int]
    """Associated files, such as labels: name -> bytes."""
    metadata: tuple[str, ...]
    """Names of the model's metadata entries."""
    labels: int | None
    """Lines of the associated `.txt` that has as many as the output has classes."""


class TimedModel(Part):
    """A model, and how fast it ran."""

    file: str
    sha256: str
    bytes: int
    latencies: tuple[Latency, ...]
    """One for each number of threads; their ratios are over the first model's."""


class Bench(Part):
    """Models that took turns on one machine."""

    machine: BenchmarkMachine
    models: tuple[TimedModel, ...]
    """The first one is the reference."""


class ComparedModel(Part):
    """A model, and how often it was right."""

    file: str
    sha256: str
    bytes: int
    accuracy: Estimate


class Shrunk(Part):
    """A model after steps on its file, and what it answers in comparison with the one before."""

    steps: tuple[str, ...]
    """What was done to its file, for people."""
    before: Sizes
    after: Sizes
    learned_from: int
    """Pictures that said how to round; they take no part in the comparison."""
    comparison: "Comparison"
    """Where the margin is not proven, nothing was written."""


class Flip(Part):
    """A picture that the two models name differently."""

    picture: str
    label: str
    first: str
    """The class that the first model names."""
    second: str


class Comparison(Part):
    """Two models on the same pictures; the first one is the reference."""

    models: tuple[ComparedModel, ...]
    pictures: int
    """That were decoded."""
    unreadable: tuple[str, ...]
    agreement: float
    """Share of the pictures that both name alike."""
    lost: int
    """Pictures that the first model alone gets right."""
    won: int
    """That the second alone gets right."""
    drop: float
    """Of accuracy, as a share; negative where the second is better."""
    upper_bound: float
    """One-sided, of the drop, at `confidence`."""
    confidence: float
    margin: float | None
    """The drop that was allowed."""
    proven: bool | None
    """Whether the drop is proven to lie below the margin; null without one."""
    flips: tuple[Flip, ...]


class Drift(Part):
    """A file and the model that it was made from, on the same pictures."""

    model: str
    bundle: str
    pictures: int
    """That were looked at."""
    unreadable: tuple[str, ...]
    layers: tuple[LayerNoise, ...]
    """Those of which the file holds the output, in the order of the model."""
    finding: Finding
