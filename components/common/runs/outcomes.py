"""How a run ended, read from what its tasks left in the run's folder, and told in a log."""

import re
from collections.abc import Iterator
from typing import TypeVar

from components.common.documents.base import Document
from components.common.documents.decision import Decision
from components.common.documents.outcome import Outcome, RunResults
from components.common.documents.record import Receipt
from components.common.documents.release import Published
from components.common.errors import DamagedError
from components.common.run_context import RunContext
from components.common.runs.receipts import collect_receipt
from components.common.runs.results import shortened, summarize_results
from components.common.storage import Storage

D = TypeVar("D", bound=Document)

GROUP = re.compile(r"root|exit-handler-\d+|for-loop-\d+")
"""What KFP calls a group of the DAG's tasks: it blames one where a task in it failed."""

# The runtime of containers cuts lines beyond 16 KiB. Kubernetes' API joins the pieces again,
# but what the task wrote to its other stream meanwhile comes to stand between them.
_PIECE = 4_000  # Characters, of at most four bytes.
_PIECES = 256
_LINE = re.compile(r"outcome (\d{1,3})/(\d{1,3}): (.*)")


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
    storage, folder = context.data(), context.run_folder()
    published = _read(Published, storage, folder)
    decision = _read(Decision, storage, folder)
    results = summarize_results(context, receipt.tasks, decision)
    if state in ("SUCCEEDED", "COMPLETE") or (state == "RUNNING" and published):
        # Publish has the last word: it may have lost a race that the gate knows nothing of.
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
            message=shortened(message),
            failed_task=None,
            model=published.uri if published else None,
            results=results,
        )
    failed = next((task for task in results.tasks if task.status == "failed"), None)
    if failed is None and state == "CANCELLED":
        name, message = "", "The run was cancelled."
    else:
        name = failed.task if failed else "" if GROUP.fullmatch(failed_task) else failed_task
        reason = failed.message if failed else error
        message = f"{name or 'a stage'} failed: {reason or 'it left no message; see its log'}"
    return Outcome(
        run_id=context.run_id,
        state="failed",
        verdict=None,
        message=shortened(message),
        failed_task=name or None,
        user_error=failed is not None and failed.user_error,
        results=results,
    )


def results_so_far(context: RunContext) -> RunResults:
    """Returns what a run has come to of which no exit handler tells."""
    decision = _read(Decision, context.data(), context.run_folder())
    return summarize_results(context, collect_receipt(context).tasks, decision)


def _read(document: type[D], storage: Storage, folder: str) -> D | None:
    """Returns a document of the run folder; None where it is missing or damaged."""
    try:
        return document.parse(storage.read(f"{folder}/{document.file_name}"))
    except (FileNotFoundError, DamagedError):
        return None


# --- in a log -----------------------------------------------------------------------


def outcome_lines(outcome: Outcome) -> Iterator[str]:
    """Yields the lines that tell an outcome to whoever can read a log, but not the folder."""
    text = outcome.to_json()
    pieces = [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]
    for number, piece in enumerate(pieces, start=1):
        yield f"outcome {number}/{len(pieces)}: {piece}"


def find_outcome(log: str) -> Outcome | None:
    """Returns the last outcome that a log tells whole; None where there is none."""
    found: Outcome | None = None
    pieces: list[str] = []
    for line in log.split("\n"):
        match = _LINE.fullmatch(line.rstrip("\r"))
        if match is None:
            continue
        number, count = int(match[1]), int(match[2])
        if number == 1:
            pieces = []
        pieces.append(match[3])
        if number == len(pieces) == count <= _PIECES:
            try:
                found = Outcome.parse("".join(pieces).encode())
            except DamagedError:
                continue
    return found
