"""notify: writes how the run ended, and tells whoever is to know.

It is the exit handler: it can depend on no task, so it reads the run's folder.
"""

import os
import time

from components.common.documents.base import Document
from components.common.documents.outcome import Outcome
from components.common.run_context import RunContext
from components.common.runs.outcomes import describe_outcome, outcome_lines
from components.common.runs.receipts import collect_receipt
from components.common.shell.local_runner import connect
from components.common.words.terminal import say
from components.notify.config import NotifyConfig


def run(*, state: str, failed_task: str, error: str, config: str, context: str) -> None:
    """Prints the outcome, keeps it and the receipt in the run's folder, then posts it.

    Args:
      state: how the tasks before ended, as KFP says: SUCCEEDED, FAILED, CANCELLED.
      failed_task: the task that KFP blames, or empty.
      error: KFP's message, or empty.
      config: canonical JSON of NotifyConfig.
      context: canonical JSON of RunContext.
    """
    events = connect("notify")
    events.emit("started")
    started = time.monotonic()
    run_context = RunContext.model_validate_json(context)
    receipt = collect_receipt(run_context)
    outcome = describe_outcome(
        run_context, receipt, state=state, failed_task=failed_task, error=error
    )
    say(outcome.message)
    for line in outcome_lines(outcome):
        print(line, flush=True)  # noqa: T201 (JSON, whose digest covers its every byte)
    _keep(run_context, receipt)
    _keep(run_context, outcome)
    _post(outcome, NotifyConfig.from_json(config), run_context)
    events.emit("finished", status="computed", seconds=round(time.monotonic() - started, 3))


def _keep(context: RunContext, document: Document) -> None:
    name = f"{context.run_folder()}/{document.file_name}"
    context.data().write(name, document.to_json().encode() + b"\n")


def _post(outcome: Outcome, config: NotifyConfig, context: RunContext) -> None:
    """Posts the outcome; that nobody could be told is no reason for the run to fail."""
    from components.notify.webhook import WebhookError, post_json

    if config.webhook_variable is None:
        return
    address = os.environ.get(config.webhook_variable, "").strip()
    if not address:
        say(
            f"notify.webhook_variable: the environment has no {config.webhook_variable} here, "
            "so nobody was told",
        )
        return
    text = f"litesmith {context.recipe_name} (run {outcome.run_id}): {outcome.message}"
    try:
        post_json(address, {"text": text, "outcome": outcome.model_dump(mode="json")})
    except WebhookError as problem:
        say(f"The webhook in {config.webhook_variable} was not told: {problem}")
