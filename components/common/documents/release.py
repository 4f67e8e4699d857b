"""A released model, which publish writes."""

from collections.abc import Mapping
from typing import ClassVar

from components.common.digests import text_digest
from components.common.documents.base import Document, Lineage, Moment
from components.common.documents.candidate import TFLiteModel
from components.common.documents.decision import Verdict
from components.common.documents.evaluation import Estimate
from components.common.documents.record import Record


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
