"""The models of a run: finetune writes the first, and each compress task adds its own.

The bundles themselves stay in the store: what goes from task to task is where they are, and
what their documents say.
"""

from collections.abc import Iterator
from typing import ClassVar

from components.common.documents.base import Document, Part
from components.common.documents.bundle import ModelBundle, StepFacts
from components.common.documents.candidate import CandidateSpec
from components.common.documents.record import StoredOutput


class ModelEntry(Part):
    """A variant that was made."""

    id: str
    parent: str | None
    stored: StoredOutput
    """The bundle's files."""
    bundle: ModelBundle

    @property
    def title(self) -> str:
        """Returns `prune 50 %`: what was done to the parent."""
        return ", then ".join(step.title for step in self.bundle.steps)


class Models(Document):
    file_name: ClassVar[str] = "models.json"

    entries: tuple[ModelEntry, ...]
    """Each after its parent."""
    candidates: tuple[CandidateSpec, ...] = ()
    """What a search makes of them for the proof; what a recipe declares stands in its own
    configuration."""

    def entry(self, id_: str) -> ModelEntry:
        (found,) = (entry for entry in self.entries if entry.id == id_)
        return found

    def ancestors(self, id_: str) -> Iterator[str]:
        """Yields a variant's parent, the parent's parent, and so on up to the root."""
        while (parent := self.entry(id_).parent) is not None:
            yield parent
            id_ = parent

    def steps_between(self, ancestor: str, id_: str) -> tuple[StepFacts, ...]:
        """Returns what was done to one variant to come to another, in order."""
        between: list[StepFacts] = []
        while id_ != ancestor:
            entry = self.entry(id_)
            assert entry.parent is not None, f"{ancestor} is no ancestor"
            between[:0] = entry.bundle.steps
            id_ = entry.parent
        return tuple(between)

    def with_entry(self, entry: ModelEntry) -> "Models":
        return self.model_copy(update={"entries": (*self.entries, entry)})
