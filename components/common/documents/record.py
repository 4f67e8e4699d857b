"""What stands beside an output: the computation's record, the task's result, the receipt."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from components.common.documents.base import Document, Moment, Part


class StoredOutput(Part):
    """An output in the store: the files that it had when it was made or found.

    They stay where they are when a fresh run replaces the entry.
    """

    stage: str
    key: str
    output_digest: str


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

    @property
    def stored(self) -> StoredOutput:
        return StoredOutput(stage=self.stage, key=self.key, output_digest=self.output_digest)


class TaskResult(Document):
    """One task of one run, in the run's folder under `tasks/`."""

    file_name: ClassVar[str] = "task.json"

    task: str
    """`finetune` or `quantize[pruned-int8]`."""
    status: Literal["computed", "cached", "given_up", "failed"]
    seconds: float
    """In this run; the record has the time of the computation."""
    message: str = ""
    """What went wrong, for a failed task; why one was given up."""
    user_error: bool = False
    record: Record | None = None
    reason: str = ""
    """Of a computed task: what differs from the run before of the same recipe, where there is one
    and something does."""
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
