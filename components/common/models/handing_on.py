"""A bundle that stays in the store is handed on as an entry of the run's models."""

from pathlib import Path

from components.common.documents.bundle import ModelBundle
from components.common.documents.models import ModelEntry, Models
from components.common.documents.record import Record
from components.common.shell.stage import Deliver


def hand_on(id_: str, *, parent: str | None = None, before: Models | None = None) -> Deliver:
    """Returns what makes the models document of the task that made a variant.

    Args:
      id_: the variant's.
      parent: the id of the variant that it was made from.
      before: the models so far.
    """
    so_far = before or Models(entries=())

    def deliver(work: Path, record: Record, output: Path) -> None:
        bundle = ModelBundle.read(work)
        entry = ModelEntry(id=id_, parent=parent, stored=record.stored, bundle=bundle)
        output.mkdir(parents=True, exist_ok=True)
        so_far.with_entry(entry).write(output)

    return deliver
