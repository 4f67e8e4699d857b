"""How a run on a cluster ended: the one place that decides its verdict and exit status.

The outcome tells: it is in the run's folder or, where that is out of reach, in notify's log. Where
notify could not leave one, it is made of what the tasks left in the folder; and where nothing of
litesmith's is left, KFP and the pods say what they can. A verdict that can't be read is never a
pass.
"""

import dataclasses
from collections.abc import Iterator
from typing import Protocol

from components.common.documents.outcome import Outcome
from components.common.errors import UserError
from components.common.runs.outcomes import describe_outcome, find_outcome
from components.common.runs.receipts import collect_receipt
from pipeline.kubeflow.cluster_run import DRIVER, ClusterRun
from pipeline.terminal.exit_codes import ExitCode

CANCELLED = "the run was cancelled; what was finished is kept in the store"
_AGAIN = "submit again: what is finished is answered from the store"
_REFUSAL = "two tasks have the same task name"


@dataclasses.dataclass(frozen=True)
class PodEnd:
    """How the last pod of a stage, or of its driver, ended.

    Attributes:
      reason: Kubernetes' word, such as OOMKilled or Evicted; Error says nothing.
      last_line: of what it printed.
    """

    reason: str
    exit_code: int | None
    last_line: str


class Pods(Protocol):
    """What the pods of a run tell, as far as Kubernetes lets one ask."""

    def logs(self, stage: str) -> Iterator[str]:
        """Yields what a stage's pods printed."""
        ...

    def end(self, stage: str) -> PodEnd | None:
        """Returns how a stage's last pod ended; None where that can't be told."""
        ...

    def failed(self) -> tuple[str, ...]:
        """Returns the stages, and drivers of stages, whose last pod failed."""
        ...


@dataclasses.dataclass(frozen=True)
class RunEnd:
    """How a run ended.

    Attributes:
      outcome: what its tasks came to; None where that can't be read.
      unread: what can't be read from here and why; empty where all was read.
    """

    code: ExitCode
    message: str
    outcome: Outcome | None
    unread: str = ""


def read_end(run: ClusterRun, pods: Pods | None = None) -> RunEnd:
    """Finds out how a run ended.

    Args:
      run: a run that is over.
      pods: where to ask of its pods.
    """
    outcome, unread = _read_folder(run)
    if outcome is None and pods is not None:
        logs = "\n".join(pods.logs("notify"))
        outcome = find_outcome(logs)
    if outcome is None:
        return _end_without_outcome(run, pods, unread)
    # Either word is enough. KFP forgets now and then that a run was cancelled and calls it failed;
    # the outcome says so only where the command that cancelled it reached the run's folder.
    if outcome.state == "interrupted" or run.state == "CANCELED":
        return RunEnd(ExitCode.INTERRUPTED, CANCELLED, outcome)
    if run.state != "SUCCEEDED":
        return _end_of_failure(run, pods, outcome)
    if outcome.verdict is None:
        return RunEnd(ExitCode.BAD_INPUT, outcome.message, outcome, "its verdict: none was left")
    blessed = outcome.verdict != "not_blessed"
    return RunEnd(ExitCode.OK if blessed else ExitCode.NOT_BLESSED, outcome.message, outcome)


def _read_folder(run: ClusterRun) -> tuple[Outcome | None, str]:
    """Returns the outcome that a run's folder tells, or why it tells none."""
    context = run.context
    try:
        storage = context.data()
        try:
            data = storage.read(f"{context.run_folder()}/{Outcome.file_name}")
            return Outcome.parse(data), ""
        except FileNotFoundError:
            receipt = collect_receipt(context)
        if not receipt.tasks:
            return None, f"{context.data_root} holds no outcome of it, seen from here"
        state = "CANCELLED" if run.state == "CANCELED" else run.state
        error = run.error or "notify left no outcome"
        return describe_outcome(context, receipt, state=state, failed_task="", error=error), ""
    except (UserError, OSError) as error:
        return None, str(error)


def _end_without_outcome(run: ClusterRun, pods: Pods | None, reason: str) -> RunEnd:
    if run.state == "CANCELED":
        return RunEnd(ExitCode.INTERRUPTED, CANCELLED, None)
    unread = f"the verdict, the tasks' times and the candidates' figures: {reason}"
    if run.state == "SUCCEEDED":
        message = (
            f"the run succeeded, but its verdict can't be read: {reason}; give read access to "
            f"{run.context.data_root}, or to the logs of pods in the target's namespace"
        )
        return RunEnd(ExitCode.BAD_INPUT, message, None, unread)
    message = _explain(run, pods) or f"the run failed: {run.error or 'KFP says no more'}"
    return RunEnd(ExitCode.STAGE_FAILED, message, None, unread)


def _end_of_failure(run: ClusterRun, pods: Pods | None, outcome: Outcome) -> RunEnd:
    code = ExitCode.BAD_INPUT if outcome.user_error else ExitCode.STAGE_FAILED
    failed = next((task for task in outcome.results.tasks if task.status == "failed"), None)
    if failed is not None:
        return RunEnd(code, failed.message, outcome)
    return RunEnd(code, _explain(run, pods) or outcome.message, outcome)


def _explain(run: ClusterRun, pods: Pods | None) -> str:
    """Says what failed without a word of its own; empty where nothing is known to have."""
    failed = run.failed or (pods.failed() if pods is not None else ())
    stages = [name for name in failed if not name.endswith(DRIVER)]
    if stages:
        return _explain_stage(run, stages[0], pods)
    return _explain_driver(run, failed[0], pods) if failed else ""


def _explain_stage(run: ClusterRun, stage: str, pods: Pods | None) -> str:
    end = pods.end(stage) if pods is not None else None
    if end is None:
        cause = "its pod is gone, or can't be asked from here"
    elif end.reason == "OOMKilled":
        cause = f"its memory ran out (OOMKilled): give it more, `stages: {{{stage}: {{memory: ...}}"
        cause += "}` in the target"
    elif end.reason not in ("", "Error", "Completed"):
        cause = f"Kubernetes says {end.reason}"
    elif end.exit_code == 137:
        cause = "it was killed (exit status 137), as when memory runs out"
    else:
        cause = f"exit status {end.exit_code}" + (f", {end.last_line}" if end.last_line else "")
    log = f"litesmith runs logs {run.name} {stage} --target ..."
    return f"{stage} failed without a word: {cause}; its log: `{log}`"


def _explain_driver(run: ClusterRun, driver: str, pods: Pods | None) -> str:
    """Says what is known of a driver's failure: KFP's, before the task itself began."""
    end = pods.end(driver) if pods is not None else None
    said = f": {end.last_line}" if end is not None and end.last_line else ""
    what = f"{driver} failed, which is KFP's and prepares {driver.removesuffix(DRIVER)}{said}"
    if run.began_again or _REFUSAL in said:
        cause = (
            "Argo ran it, or the group around it, again, which KFP's driver can't do: give "
            "retryStrategy under templateDefaults in the ConfigMap "
            "workflow-controller-configmap the limit 0 (docs/cluster.md has the command)"
        )
        return f"{what}; {cause}; {_AGAIN}"
    return f"{what}; {_AGAIN}"
