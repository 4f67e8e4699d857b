"""How a run ended, read from what its tasks left in the run's folder."""

from typing import TypeVar

from components.common.documents import Decision, Document, Outcome, Published, Receipt
from components.common.errors import DamagedError
from components.common.run_context import RunContext
from components.common.storage import Storage

D = TypeVar("D", bound=Document)


def describe_outcome(
    context: RunContext, receipt: Receipt, *, state: str, failed_task: str, error: str
) -> Outcome:
    """Describes a run's end.

    Args:
      context: of the run.
      receipt: what its tasks left.
      state: KFP's: SUCCEEDED, FAILED, CANCELLED; on a cluster what its metadata store has,
        COMPLETE, or still RUNNING where that lags behind the tasks.
      failed_task: the task that KFP blames, which may be a group of tasks; or empty.
      error: KFP's message; the task's own is more to the point, where it left one.
    """
    failed = [task for task in receipt.tasks if task.status == "failed"]
    published = _read(Published, context.data(), context.run_folder()) is not None
    if state in ("SUCCEEDED", "COMPLETE") or (state == "RUNNING" and published):
        return _describe_success(context)
    name = failed[0].task if failed else failed_task
    reason = failed[0].message if failed else error
    message = f"{name or 'the run'} failed: {reason or 'it left no message; see its log'}"
    if state == "CANCELLED" and not failed:
        message = "The run was cancelled."
    return Outcome(
        run_id=context.run_id,
        state="failed",
        verdict=None,
        message=message,
        failed_task=name or None,
    )


def _describe_success(context: RunContext) -> Outcome:
    """Publish has the last word: it may have lost a race that the gate knows nothing of."""
    storage, folder = context.data(), context.run_folder()
    published = _read(Published, storage, folder)
    decision = _read(Decision, storage, folder)
    if published is not None:
        verdict, message = published.verdict, published.message
    elif decision is not None:
        verdict, message = decision.verdict, decision.summary
    else:
        verdict, message = None, "The run ended well, but left no decision in its folder."
    return Outcome(
        run_id=context.run_id,
        state="succeeded",
        verdict=verdict,
        message=message,
        failed_task=None,
    )


def _read(document: type[D], storage: Storage, folder: str) -> D | None:
    """Returns a document of the run folder; None where it is missing or damaged."""
    try:
        return document.parse(storage.read(f"{folder}/{document.file_name}"))
    except (FileNotFoundError, DamagedError):
        return None
