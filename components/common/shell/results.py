"""How a task ended, left in its run's folder: the one way in which tasks tell of one another."""

import contextlib
import os
import sys
from collections.abc import Iterator

from components.common.documents.record import TaskResult
from components.common.errors import UserError
from components.common.process.events import Events
from components.common.process.termination import Terminated
from components.common.run_context import RunContext
from components.common.words.terminal import say
from components.common.workers.worker import this_worker

_MEANT = (UserError, Terminated)  # Errors whose text says what to do.


def keep_result(run: RunContext, result: TaskResult) -> None:
    """Leaves a task's result; of several workers the chief does."""
    if not this_worker(os.environ).is_chief:
        return
    name = f"{run.run_folder()}/tasks/{result.task}.json"
    run.data().write(name, result.to_json().encode())


def keep_failure(
    run: RunContext, task: str, error: BaseException, *, seconds: float, events: Events
) -> None:
    """Tells a failure everywhere; where one place can't be reached, the others still are."""
    failure = TaskResult(
        task=task,
        status="failed",
        seconds=seconds,
        message=str(error) if isinstance(error, _MEANT) else _in_words(error),
        user_error=isinstance(error, UserError),
    )
    if failure.user_error:
        say(f"error: {failure.message}", to=sys.stderr)
    with best_effort():
        message = failure.message[:2000]
        events.emit("failed", message=message, user_error=failure.user_error)
    with best_effort():
        keep_result(run, failure)


@contextlib.contextmanager
def best_effort() -> Iterator[None]:
    """Lets what only tells of a task fail without it; says so."""
    try:
        yield
    except Exception as error:
        say(f"could not be recorded: {_in_words(error)}", to=sys.stderr)


def _in_words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
