"""What a run's tasks leave in its folder and in the store, made up without running them."""

import shutil
from pathlib import Path
from typing import Any

from components.common.digests import tree_digest
from components.common.documents.decision import BlessedModel, Decision
from components.common.documents.outcome import Outcome
from components.common.registry import Registry
from components.common.run_context import RunContext
from components.common.shell.store import Store
from tests.builders.fabricate import Fabricated, fabricate
from tests.builders.releases import publish_and_bless
from tests.fakes.kfp_server import KfpServer


def leave_run(folder: Path, *, blessed_before: bool = False, **options: Any) -> Fabricated:
    """Leaves a run's folder and store entries, as its tasks do."""
    run = fabricate(folder, **options)
    store, decision = Store(run.context.data()), run.decision
    if blessed_before:
        registry = Registry(run.context.models(), run.context.recipe_name)
        release = publish_and_bless(registry, b"the model before")
        before = BlessedModel(
            version=release.version,
            model_sha256=release.model.sha256,
            candidate_id=release.candidate_id,
            generation=1,
        )
        decision = decision.model_copy(update={"blessed_before": before})
    for task in run.tasks:
        assert task.record is not None
        artifact = folder / task.task.replace("quantize[", "candidate-").replace(
            "evaluate[", "evaluation-"
        ).rstrip("]")
        if artifact.is_dir():
            shutil.copytree(artifact, folder / "kept")
            changes = {"key": f"{task.task}", "output_digest": tree_digest(artifact)}
            record = task.record.model_copy(update=changes)
            store.put(record, folder / "kept", lambda output: True)
            shutil.rmtree(folder / "kept")
            keep(run.context, f"tasks/{task.task}.json", task.model_copy(update={"record": record}))
    keep(run.context, Decision.file_name, decision)
    return run


def keep(context: RunContext, name: str, document: Any) -> None:
    context.data().write(f"{context.run_folder()}/{name}", document.to_json().encode())


def leave_outcome(server: KfpServer, verdict: Any) -> None:
    """Lets each run that starts leave an outcome, as notify does."""
    create = server.answer

    def answer(request: Any) -> Any:
        answered = create(request)
        if request.method == "POST" and request.path.endswith("/runs"):
            context = answered["runtime_config"]["parameters"]["context"]
            run = RunContext.model_validate_json(context)
            outcome = Outcome(
                run_id=run.run_id,
                state="succeeded",
                verdict=verdict,
                message="so it is",
                failed_task=None,
            )
            keep(run, Outcome.file_name, outcome)
        return answered

    server.answer = answer  # type: ignore[method-assign]
