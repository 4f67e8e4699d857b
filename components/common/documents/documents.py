"""The JSON documents that flow between stages, one at the root of each artifact.

A document is frozen, refuses unknown fields, and names the version of its schema. It
holds nothing that differs between two computations of the same thing (no times, no
paths, no run ids), so that its bytes can enter a content digest. What differs is in the
record of the task that made it.

The text of a document begins with the digest of the rest of it, so that a flipped bit in a
figure is noticed. That guards against damage, not against malice: whoever writes a file can
write its digest.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from components.common.digests import canonical_json, text_digest
from components.common.errors import DamagedError
from components.common.storage import read_whole_file, write_whole_file


def _check_moment(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("a time without its zone")
    return text


Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

Scheme = Literal["float32", "float16", "dynamic_range", "int8"]
Source = Literal["dense", "pruned"]
Fit = Literal["crop", "pad", "stretch"]
BackboneName = Literal[
    "small_cnn", "efficientnet_lite0", "mobilenet_v2", "resnet50_v2", "inception_v3", "vgg16"
]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


Moment = Annotated[str, AfterValidator(_check_moment)]
"""ISO 8601 with a time zone."""


class Part(BaseModel):
    """A piece of a document."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        defer_build=True,  # Every task imports all documents, and uses a few.
    )


class Document(Part):
    """A document, and how it lies in an artifact's directory."""

    file_name: ClassVar[str]

    schema_version: Literal[1] = 1

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Reads the document of a directory.

        Raises:
          FileNotFoundError: it has none.
          DamagedError: it is not as `write` wrote it.
        """
        path = directory / cls.file_name
        return cls.parse(read_whole_file(path), name=str(path))

    @classmethod
    def parse(cls, data: bytes, *, name: str = "") -> Self:
        """Returns the document that a text of `to_json` holds.

        Args:
          data: the text; a line end may follow.
          name: of the file, for the message.

        Raises:
          DamagedError: it is no such text, or an older or newer litesmith wrote it.
        """
        name = name or cls.file_name
        seal = _SEAL.match(data)
        body = b"{" + data[seal.end() :].removesuffix(b"\n") if seal else b""
        if seal is None or hashlib.sha256(body).hexdigest().encode() != seal[1]:
            raise DamagedError(f"{name}: {_explain_damage(data)}")
        try:
            if _ENDLESS_NUMBER.search(body):
                raise ValueError("a number of hundreds of digits")
            document = cls.model_validate_json(body)
            canonical_json(document.model_dump())  # Refuses what no JSON has, such as infinity.
        except (ValidationError, ValueError) as error:
            reason = _explain_version(body) or f"is damaged ({_first_line(error)}); {_REMEDY}"
            raise DamagedError(f"{name}: {reason}") from error
        return document

    def write(self, directory: Path) -> None:
        write_whole_file(directory / self.file_name, self.to_json().encode() + b"\n")

    def to_json(self) -> str:
        """Returns the canonical JSON, its own digest ahead of the other fields."""
        text = canonical_json(self.model_dump(mode="json"))
        return f'{{"digest":"{text_digest(text)}",{text[1:]}'


_FORMAT = 1
"""The version of all documents' schema."""

_SEAL = re.compile(rb'\{"digest":"([0-9a-f]{64})",')

_ENDLESS_NUMBER = re.compile(rb"[:,\[]-?\d{400}")
"""Takes the square of its length to be read, and can't be written again."""

_REMEDY = "move it away, and run again where its content is still wanted"


def _explain_damage(data: bytes) -> str:
    if not data.strip(b"\0 \n"):
        return f"is empty; {_REMEDY}"
    return _explain_version(data) or f"is damaged, or cut, or of an older litesmith; {_REMEDY}"


def _explain_version(data: bytes) -> str:
    """Says that a newer litesmith wrote a text, where it says so itself."""
    try:
        version = json.loads(data[:_LOOKED_AT])["schema_version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    if not isinstance(version, int) or version <= _FORMAT:
        return ""
    return (
        f"was written by a newer litesmith (format {version}, this one reads {_FORMAT}); update "
        "litesmith"
    )


_LOOKED_AT = 1 << 20
"""Bytes of a text that is not understood."""


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        found = error.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(map(str, found['loc']))}: {found['msg']}"
    return str(error).partition("\n")[0]


class Lineage(Part):
    """What an artifact was made from: digests, so that it can be traced and compared."""

    stage: str
    key: str
    """The key of the computation: config, code and inputs."""
    inputs: Mapping[str, str]
    """Input name -> content digest."""


# --- dataset manifest ---------------------------------------------------------------


class ImageSpec(Part):
    """How pictures lie in the examples."""

    height: int
    width: int
    channels: Literal[1, 3]
    encoding: Literal["jpeg", "png"]
    fit: Fit
    """How a picture that is not square became one."""
    background: str
    """What shows behind transparent pixels and around padded pictures, such as `#ffffff`."""


class Shard(Part):
    """One TFRecord file."""

    path: str
    """Relative to the data root."""
    examples: int
    size_bytes: int
    crc32c: int


class SplitExamples(Part):
    examples: int
    shards: tuple[Shard, ...]
    examples_per_class: tuple[int, ...]
    """Aligned with the manifest's class_names."""


class PixelStatistics(Part):
    """Over the training split, after resizing; intensities in [0, 255]."""

    mean: tuple[float, ...]
    """Per channel."""
    std: tuple[float, ...]
    """Per channel."""
    histogram: tuple[float, ...]
    """Share of intensities (all channels) in each of 32 bins of width 8."""


class DatasetManifest(Document):
    """The data set as the stages see it: small; the shards stay under the data root.

    Beside it lie `rejects.jsonl`: path, reason and detail of every rejected record;
    `notes.jsonl`: path, note and detail of every example with something odd about it; and
    `membership.npz`: which example is in which split.
    """

    file_name: ClassVar[str] = "dataset.json"

    IDENTITY: ClassVar[frozenset[str]] = frozenset(
        {"schema_version", "task", "class_names", "image", "compression", "splits", "slices"}
    )
    """The fields that say what the examples are. They alone enter the keys of later stages."""
    PROVENANCE: ClassVar[frozenset[str]] = frozenset(
        {
            "source_fingerprint",
            "statistics",
            "rejects",
            "notes",
            "passed_over",
            "not_square",
            "records",
            "lineage",
        }
    )
    """The fields that say where the examples came from, or what is told of them. No stage that
    is answered from the store may read them."""

    task: Literal["image_classification"]
    class_names: tuple[str, ...]
    image: ImageSpec
    compression: Literal["gzip", "none"]
    splits: Mapping[Split, SplitExamples]
    source_fingerprint: str
    statistics: PixelStatistics
    rejects: Mapping[str, int]
    """Reason -> count."""
    notes: Mapping[str, int] = {}
    """What is odd about examples that are used all the same -> count."""
    not_square: int = 0
    """How many examples were not about as high as wide before they were fitted."""
    passed_over: Mapping[str, int] = {}
    """Kind of litter, or `exclude PATTERN` -> how many entries of the source were no records;
    a folder counts as one."""
    records: int
    """How many records the source held, rejected ones included."""
    slices: tuple[str, ...]
    """Names of the slices that examples may belong to; empty where the source has none."""
    lineage: Lineage

    def identity(self) -> dict[str, Any]:
        return self.model_dump(mode="json", include=set(self.IDENTITY))


# --- validation ---------------------------------------------------------------------


class Finding(Part):
    """Something that validate noticed."""

    check: str
    severity: Literal["warn", "stop"]
    message: str


class Validation(Document):
    file_name: ClassVar[str] = "validation.json"

    findings: tuple[Finding, ...]


# --- model bundle -------------------------------------------------------------------


class InputSpec(Part):
    """What the Keras model expects: `(pixel - offset) * scale`, pixel in [0, 255]."""

    height: int
    width: int
    channels: Literal[1, 3]
    offset: tuple[float, ...]
    """Per channel, in intensities."""
    scale: tuple[float, ...]
    """Per channel."""


class Architecture(Part):
    """What a classifier's graph is built from, beside its input and its classes."""

    backbone: BackboneName
    width: Annotated[float, Field(gt=0, le=2)] = 1.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    dropout_seed: int = 0


class Epoch(Part):
    """One epoch of training."""

    phase: Literal["head", "fine_tune", "prune"]
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


class ModelBundle(Document):
    """A trained model: `weights.npz` and `predictions.npz` lie beside it.

    `predictions.npz` holds for validation and for test: `<split>_ids` (bytes [n]),
    `<split>_labels` (int64 [n]) and `<split>_probabilities` (float32 [n, classes]).
    """

    file_name: ClassVar[str] = "bundle.json"

    task: Literal["image_classification"]
    class_names: tuple[str, ...]
    architecture: Architecture
    input: InputSpec
    parameters: int
    frozen_layers: tuple[str, ...] = ()
    """The layers that training left as they were, and pruning leaves as well."""
    history: tuple[Epoch, ...]
    best_epoch: int
    sparsity: tuple[LayerSparsity, ...] = ()
    """Per kernel; empty for a model that was not pruned."""
    target_sparsity: float | None = None
    faults: tuple[str, ...] = ()
    """What is wrong with the training, in whole sentences without a full stop."""
    lineage: Lineage


# --- candidate ----------------------------------------------------------------------


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
    source: Source
    scheme: Scheme
    class_names: tuple[str, ...]
    model: TFLiteModel | None
    failure: str | None
    """One or two sentences where the model could not be made."""
    training_faults: tuple[str, ...] = ()
    """Of the bundle that it was made from."""
    lineage: Lineage


def candidate_id(source: Source, scheme: Scheme) -> str:
    """Returns the id of a candidate: `int8` or `pruned-int8`."""
    return scheme if source == "dense" else f"pruned-{scheme}"


BASELINE_ID = "float32"
"""The candidate against which all others are compared: the dense float32 model."""


# --- evaluation ---------------------------------------------------------------------


class Estimate(Part):
    """A metric with its 95 % confidence interval."""

    value: float
    low: float
    high: float


class ClassMetrics(Part):
    class_name: str
    examples: int
    recall: Estimate
    """The class's own accuracy."""
    precision: float
    f1: float


class SliceMetrics(Part):
    slice_name: str
    examples: int
    accuracy: Estimate


class KerasAgreement(Part):
    """The `.tflite` against the predictions stored in the bundle, on the same examples."""

    same_prediction: Share
    largest_difference: float
    """Of any probability."""


class Evaluation(Document):
    """A candidate on the test split, in LiteRT.

    `predictions.npz` beside it: `ids` (bytes [n]), `labels` (int64 [n]), `probabilities`
    (float32 [n, classes]), `slices` (bytes [n], empty where the example has none).
    """

    file_name: ClassVar[str] = "evaluation.json"

    candidate_id: str
    failure: str | None
    """Why there are no metrics: the candidate's own failure, or LiteRT's."""
    examples: int
    metrics: Mapping[str, Estimate]
    """accuracy, top5_accuracy, macro_f1, log_loss, calibration_error."""
    per_class: tuple[ClassMetrics, ...]
    per_slice: tuple[SliceMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]
    """[true class][predicted class] -> examples."""
    keras: KerasAgreement | None
    lineage: Lineage


# --- benchmark ----------------------------------------------------------------------


class Latency(Part):
    """Of one inference of one example, in milliseconds."""

    threads: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    runs: int


class CandidateBenchmark(Part):
    candidate_id: str
    latencies: tuple[Latency, ...]
    """One for each number of threads."""
    peak_memory_bytes: int
    """Growth of the process's resident memory while the model is loaded and run."""


class Machine(Part):
    """Where latency was measured; figures of two machines are never compared."""

    cpu_model: str
    cores: int


class Benchmark(Document):
    """All candidates, interleaved in one process, so that their figures compare."""

    file_name: ClassVar[str] = "benchmark.json"

    machine: Machine
    candidates: tuple[CandidateBenchmark, ...]
    lineage: Lineage


# --- decision -----------------------------------------------------------------------

Verdict = Literal["blessed", "already_blessed", "not_blessed"]


class Comparison(Part):
    """A paired comparison of accuracy: the candidate against a reference.

    Attributes are shares in [0, 1]: an accuracy drop of 0.01 is one point.
    """

    reference: str
    """`float32`, or `blessed <version>`, or a class or slice of these."""
    examples: int
    drop: float
    """Observed accuracy drop (negative: the candidate is better)."""
    upper_bound: float
    """One-sided upper confidence bound of the drop at `alpha` (Tango's score interval)."""
    lower_bound: float | None = None
    """For a class or slice, which fails only where this lies above the margin."""
    margin: float
    alpha: float
    passed: bool


class CandidateVerdict(Part):
    candidate_id: str
    accepted: bool
    """It meets every budget; the smallest accepted one wins."""
    reasons: tuple[str, ...]
    """Why not, in whole sentences; for the winner, why it."""
    comparisons: tuple[Comparison, ...]


class StepGain(Part):
    """What one compression step bought: `pruning` or `int8`, candidate against candidate."""

    step: str
    before: str
    after: str
    """Candidate ids."""
    size_ratio: float
    zipped_ratio: float
    latency_ratio: float
    """After divided by before; below 1 is a gain. Latency is p50 at one thread."""
    accuracy_change: float
    paid: bool
    message: str


class BlessedModel(Part):
    """The pointer's target as the gate saw it."""

    version: str
    model_sha256: str
    candidate_id: str
    generation: int
    """Of the pointer: publish moves it on condition that it is still this one."""


class Decision(Document):
    file_name: ClassVar[str] = "decision.json"

    verdict: Verdict
    summary: str
    """The verdict in one or two sentences."""
    winner: str | None
    """The candidate's id; None where nothing meets the budgets."""
    candidates: tuple[CandidateVerdict, ...]
    steps: tuple[StepGain, ...]
    power: float | None
    """Chance that a candidate as accurate as float is accepted, at this margin and size."""
    power_note: str = ""
    """What `power` was computed from, in whole sentences."""
    required_test_examples: int | None
    """The fewest with which the accuracy budgets can be proven at all."""
    notes: tuple[str, ...] = ()
    """What else to know: a comparison that was not possible, and why."""
    blessed_before: BlessedModel | None
    lineage: Lineage


# --- release ------------------------------------------------------------------------


class Release(Document):
    """A version in the registry: immutable, named by the digest of this document."""

    file_name: ClassVar[str] = "release.json"
    VERSION_DIGITS: ClassVar[int] = 32
    """So many that nobody finds another release of the same name."""

    model_name: str
    files: Mapping[str, str] = {}
    """Name -> SHA-256 of every other file of the version."""
    candidate_id: str
    model: TFLiteModel
    class_names: tuple[str, ...]
    metrics: Mapping[str, Estimate]
    latency_ms: float | None
    """p50 at one thread."""
    dataset_fingerprint: str
    created: Moment
    """ISO 8601, UTC. A release is the one document that carries a date."""
    run_id: str
    lineage: Lineage

    @property
    def version(self) -> str:
        return text_digest(self.to_json())[: self.VERSION_DIGITS]


class BlessedPointer(Document):
    """Which version of a model is blessed: the one mutable object of the registry."""

    file_name: ClassVar[str] = "blessed.json"

    model_name: str
    version: str
    model_sha256: str
    candidate_id: str
    blessed_at: Moment
    """ISO 8601, UTC."""
    run_id: str
    """The run that blessed it; empty where a person rolled back to it."""
    counter: int
    """How often the pointer was moved."""
    history: tuple[str, ...]
    """The versions blessed before, the last one last."""
    withdrawn: Mapping[str, str] = {}
    """SHA-256 of each model that a rollback left -> its version; only a rollback blesses it
    again."""


class Ancestry(Document):
    """The records of the computations that a released model came from, the first first."""

    file_name: ClassVar[str] = "lineage.json"

    records: tuple["Record", ...]


class Published(Document):
    """What publish did."""

    file_name: ClassVar[str] = "published.json"

    verdict: Verdict
    version: str | None
    """The version that is blessed afterwards, if any."""
    uri: str | None
    message: str


# --- records ------------------------------------------------------------------------


class Record(Document):
    """How a stage's output came to be; stands beside it in the store."""

    file_name: ClassVar[str] = "record.json"

    stage: str
    key: str
    config: Mapping[str, Any]
    identity: Mapping[str, str]
    """Content behind locations, or the machine where that matters."""
    inputs: Mapping[str, str]
    code: str
    modules: Mapping[str, str] = {}
    """What `code` was made of: each module's file -> how the digest of its syntax begins."""
    image: str
    libraries: Mapping[str, str]
    """Python's version, and distribution -> version of those that the task had imported."""
    output_digest: str
    identity_digest: str = ""
    """By which later stages know the output, where not all of it bears identity: the digest of
    a data set's examples."""
    started: Moment
    """ISO 8601, UTC."""
    seconds: float
    peak_memory_bytes: int
    """While the stage computed: of the process, with what it held already, or of a child that
    it waited for. Where the system can't tell (it is not Linux), since the process's start."""
    measurements: Mapping[str, float]
    """Figures that the stage took of its own work, such as examples_per_s."""


class TaskResult(Document):
    """One task of one run, in the run's folder under `tasks/`."""

    file_name: ClassVar[str] = "task.json"

    task: str
    """`prune` or `quantize[pruned-int8]`."""
    status: Literal["computed", "cached", "failed"]
    seconds: float
    """In this run; the record has the time of the computation."""
    message: str = ""
    """What went wrong, for a failed task."""
    user_error: bool = False
    record: Record | None = None
    other_libraries: Mapping[str, str] = {}
    """Of an output from the store: the versions here of those libraries of its record that it
    was made by in another version."""


class Receipt(Document):
    """Every task of a run: time, memory, cached or computed."""

    file_name: ClassVar[str] = "receipt.json"

    run_id: str
    tasks: tuple[TaskResult, ...]
    """In the order in which they ended."""
    seconds: float
    """Sum over the tasks, some of which ran at the same time."""


class TaskSummary(Part):
    """A task of a run, without the record of its computation."""

    task: str
    status: Literal["computed", "cached", "failed"]
    seconds: float
    message: str = ""
    user_error: bool = False


class CandidateSummary(Part):
    """A row of the final table."""

    candidate_id: str
    accuracy: Estimate | None
    size_bytes: int | None
    zipped_bytes: int | None
    latency_ms: float | None
    """p50 at one thread."""
    accepted: bool
    reason: str
    """Why it won, or why it was not taken."""


class BlessedSummary(Part):
    """The model that was blessed before the run."""

    version: str
    candidate_id: str
    accuracy: Estimate | None
    size_bytes: int
    zipped_bytes: int
    latency_ms: float | None
    """As it was measured when it was released, maybe on another machine."""


class RunResults(Part):
    """The tasks of a run, and its candidates beside the model that was blessed before."""

    winner: str | None = None
    candidates: tuple[CandidateSummary, ...] = ()
    blessed_before: BlessedSummary | None = None
    tasks: tuple[TaskSummary, ...] = ()
    """In the order in which they ended."""


class Outcome(Document):
    """How a run ended: all that its verdict, its exit status and a CI job's files are made of.

    Written by the exit handler, or by whoever stopped the run; who waits for the run reads
    nothing else of it, so that a folder out of reach takes nothing away.
    """

    file_name: ClassVar[str] = "outcome.json"

    run_id: str
    state: Literal["succeeded", "failed", "interrupted"]
    verdict: Verdict | None
    message: str
    failed_task: str | None
    """None too where a task failed that left no word, and is not known by name."""
    user_error: bool = False
    """Whether it failed for what the user stated or gave, as its task says."""
    model: str | None = None
    """Where the blessed model lies."""
    results: RunResults = RunResults()
