"""The exit handler, against a run folder and a webhook on this machine."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.common.documents.decision import Budgets, Decision
from components.common.documents.outcome import Outcome
from components.common.documents.record import Receipt, TaskResult
from components.common.documents.release import Published
from components.common.run_context import RunContext
from components.notify import stage
from components.notify.config import NotifyConfig
from components.notify.webhook import WebhookError, post_json
from tests.builders.synthetic import LINEAGE, run_context

VARIABLE = "LITESMITH_TEST_WEBHOOK"


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    return run_context(tmp_path)


def keep(context: RunContext, name: str, document: Any) -> None:
    context.data().write(f"{context.run_folder()}/{name}", document.to_json().encode())


def read_outcome(context: RunContext) -> Outcome:
    data = context.data().read(f"{context.run_folder()}/outcome.json")
    return Outcome.parse(data)


def notify(
    context: RunContext,
    *,
    state: str = "SUCCEEDED",
    failed_task: str = "",
    error: str = "",
    config: NotifyConfig | None = None,
) -> Outcome:
    stage.run(
        state=state,
        failed_task=failed_task,
        error=error,
        config=(config or NotifyConfig()).to_json(),
        context=context.to_json(),
    )
    return read_outcome(context)


def decide(verdict: str) -> Decision:
    return Decision(
        verdict=verdict,  # type: ignore[arg-type]
        summary="The gate's word.",
        budgets=Budgets(),
        winner=None,
        candidates=(),
        steps=(),
        power=None,
        required_test_examples=None,
        blessed_before=None,
        lineage=LINEAGE,
    )


def test_publish_has_the_last_word_on_a_run_that_succeeded(context):
    keep(context, "decision.json", decide("blessed"))
    keep(
        context,
        "published.json",
        Published(verdict="not_blessed", version=None, uri=None, message="Another run was first."),
    )
    outcome = notify(context)
    assert (outcome.state, outcome.verdict) == ("succeeded", "not_blessed")
    assert (outcome.message, outcome.failed_task) == ("Another run was first.", None)


def test_a_run_that_kfp_says_still_runs_is_over_once_it_has_published(context):
    keep(context, "decision.json", decide("blessed"))
    assert notify(context, state="RUNNING").state == "failed"
    published = Published(verdict="blessed", version="1", uri="/r/1", message="It is blessed.")
    keep(context, "published.json", published)
    outcome = notify(context, state="RUNNING")
    assert (outcome.state, outcome.verdict) == ("succeeded", "blessed")
    assert (outcome.message, outcome.failed_task) == ("It is blessed.", None)
    assert notify(context, state="FAILED", failed_task="publish").state == "failed"


def test_the_decision_speaks_where_publish_left_no_word(context):
    keep(context, "decision.json", decide("already_blessed"))
    outcome = notify(context)
    assert (outcome.verdict, outcome.message) == ("already_blessed", "The gate's word.")


def test_a_damaged_decision_is_no_reason_not_to_tell(context):
    context.data().write("runs/test/decision.json", b"{")
    outcome = notify(context)
    assert (outcome.state, outcome.verdict) == ("succeeded", None)


def test_a_failed_run_names_the_task_and_its_own_message(context):
    keep(context, "decision.json", decide("blessed"))
    for task, status in (("preprocess", "computed"), ("quantize[int8]", "failed")):
        result = TaskResult(task=task, status=status, seconds=2.0, message="It fell over.")
        keep(context, f"tasks/{task}.json", result)
    outcome = notify(context, state="FAILED", failed_task="for-loop-1", error="exit status 1")
    assert (outcome.state, outcome.verdict) == ("failed", None)
    assert outcome.failed_task == "quantize[int8]"
    assert outcome.message == "quantize[int8] failed: It fell over."


def test_a_task_that_left_nothing_is_named_as_kfp_names_it(context):
    outcome = notify(context, state="FAILED", failed_task="finetune", error="evicted")
    assert (outcome.failed_task, outcome.message) == ("finetune", "finetune failed: evicted")


def test_a_cancelled_run_says_so(context):
    outcome = notify(context, state="CANCELLED")
    assert (outcome.state, outcome.message) == ("failed", "The run was cancelled.")


def test_the_receipt_lists_the_tasks_in_the_order_in_which_they_ended(context):
    for task in ("preprocess", "finetune", "evaluate[int8]"):
        keep(context, f"tasks/{task}.json", TaskResult(task=task, status="computed", seconds=1.25))
    notify(context)
    receipt = Receipt.parse(context.data().read("runs/test/receipt.json"))
    assert [task.task for task in receipt.tasks] == ["preprocess", "finetune", "evaluate[int8]"]
    assert receipt.seconds == 3.75


class Hook(http.server.ThreadingHTTPServer):
    """Answers with the given statuses, one for each request."""

    def __init__(self, statuses: list[int]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses = statuses
        self.bodies: list[Any] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hooks/secret-token"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(json.loads(body))
        self.send_response(self.server.statuses.pop(0))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook([200]) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_webhook_is_told_the_outcome(context, hook, monkeypatch):
    monkeypatch.setenv(VARIABLE, hook.address)
    keep(context, "decision.json", decide("not_blessed"))
    notify(context, config=NotifyConfig(webhook_variable=VARIABLE))
    (body,) = hook.bodies
    assert body["text"] == "litesmith synthetic (run test): The gate's word."
    assert body["outcome"]["verdict"] == "not_blessed"


def test_a_webhook_that_fails_at_first_is_tried_again(hook):
    hook.statuses = [503, 429, 200]
    post_json(hook.address, {"text": "hello"}, pause_s=0.01)
    assert hook.bodies == [{"text": "hello"}] * 3


def test_a_webhook_that_keeps_failing_is_given_up_after_three_attempts(hook):
    hook.statuses = [500] * 9
    with pytest.raises(WebhookError, match="answered 500, attempt 3"):
        post_json(hook.address, {}, pause_s=0.01)
    assert len(hook.bodies) == 3


def test_a_webhook_that_refuses_is_not_asked_again(hook):
    hook.statuses = [404] * 9
    with pytest.raises(WebhookError, match="answered 404, attempt 1"):
        post_json(hook.address, {}, pause_s=0.01)
    assert len(hook.bodies) == 1


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:1/hooks/secret-token",
        "http://127.0.0.1:secret-token/",
        "http://[secret-token/",
        "http://host/a b/secret-token",
        "file:///etc/secret-token",
        "secret-token",
    ],
)
def test_a_webhook_that_cannot_be_told_fails_nothing_and_leaks_nothing(
    context, monkeypatch, capfd, address
):
    monkeypatch.setattr("components.notify.webhook.time.sleep", lambda seconds: None)
    monkeypatch.setenv(VARIABLE, address)
    keep(context, "decision.json", decide("blessed"))
    outcome = notify(context, config=NotifyConfig(webhook_variable=VARIABLE))
    assert outcome.verdict == "blessed"
    output = "".join(capfd.readouterr())
    assert f"webhook in {VARIABLE} was not told" in output
    assert "secret-token" not in output


def test_a_variable_that_is_not_set_is_named(context, monkeypatch, capfd):
    monkeypatch.delenv(VARIABLE, raising=False)
    notify(context, config=NotifyConfig(webhook_variable=VARIABLE))
    assert f"has no {VARIABLE} here" in capfd.readouterr().out
