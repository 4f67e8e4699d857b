"""From the gate's decision to the registry, as the components run them."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from components.common.digests import tree_digest
from components.common.documents.decision import Decision
from components.common.documents.evaluation import Evaluation
from components.common.documents.record import Receipt, Record, TaskResult
from components.common.documents.release import Ancestry, Published, Release
from components.common.registry import Registry
from components.common.run_context import RunContext
from components.gate import stage as gate
from components.gate.config import GateConfig
from components.publish import stage
from components.publish.config import PublishConfig
from tests.builders.artifacts import make_record, measured_from, write_candidate, write_measured_run
from tests.builders.releases import publish_and_bless
from tests.builders.synthetic import CLASS_NAMES, run_context

MODELS = {"float32": b"float32" * 400, "int8": b"int8" * 100}
FILES = {
    "README.md",
    "benchmark.json",
    "candidate.json",
    "dataset.json",
    "decision.json",
    "membership.npz",
    "evaluation.json",
    "labels.txt",
    "lineage.json",
    "model.tflite",
    "model_card.html",
    "receipt.json",
    "release.json",
    "report.html",
}


@dataclasses.dataclass
class Run:
    """One run after benchmark."""

    folder: Path
    context: RunContext
    inputs: dict[str, Any]

    @property
    def registry(self) -> Registry:
        return Registry(self.context.models(), "shapes")

    def decide(self, accuracy_drop: float | None = 0.02) -> Decision:
        config = GateConfig(accuracy_drop=accuracy_drop, model_name="shapes")
        gate.STAGE.run(
            **self.inputs,
            config=config.to_json(),
            context=self.context.to_json(),
            decision=self.folder / "decision",
        )
        return Decision.read(self.folder / "decision")

    def publish(self) -> Published:
        stage.STAGE.run(
            **self.inputs,
            decision=self.folder / "decision",
            page=self.folder / "page.html",
            config=PublishConfig(model_name="shapes", description="Three shapes.").to_json(),
            context=self.context.to_json(),
            published=self.folder / "published",
        )
        return Published.read(self.folder / "published")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    context = run_context(tmp_path)
    (tmp_path / "page.html").write_text("<html>the report</html>")
    return Run(tmp_path, context, write_measured_run(tmp_path, context, MODELS))


def keep_record(run: Run, task: str, output_digest: str, inputs: dict[str, str]) -> Record:
    """Leaves what a task would leave in the run's folder."""
    record = make_record(
        task.split("[")[0],
        config={"seed": 1},
        key=task,
        inputs=inputs,
        output_digest=output_digest,
    )
    result = TaskResult(task=task, status="computed", seconds=1.5, record=record)
    run.context.data().write(f"runs/test/tasks/{task}.json", result.to_json().encode())
    return record


def test_the_winner_is_published_whole_and_blessed(run):
    run.decide()
    published = run.publish()
    pointer, _ = run.registry.blessed()
    assert (published.verdict, published.version) == ("blessed", pointer.version)
    assert "int8 is blessed" in published.message and pointer.version in published.message
    folder = Path(published.uri)
    assert {path.name for path in folder.iterdir()} == FILES
    assert (folder / "model.tflite").read_bytes() == MODELS["int8"]
    assert (folder / "labels.txt").read_text() == "bar\ncross\ndisc\n"
    assert (folder / "report.html").read_text() == "<html>the report</html>"
    release = Release.read(folder)
    assert (release.candidate_id, release.run_id) == ("int8", "test")
    assert (release.class_names, release.latency_ms) == (CLASS_NAMES, 1.0)
    assert release.metrics["accuracy"].value == pytest.approx(0.95)


def test_what_was_changed_since_the_decision_is_not_published(run):
    for name in ("int8/model.tflite", "int8-evaluation/evaluation.json", "benchmark/more.json"):
        run.decide()
        path = run.folder / name
        before = path.read_bytes() if path.exists() else b""
        path.write_bytes(before + b" ")
        with pytest.raises(SystemExit):
            run.publish()
        message = TaskResult.parse(run.context.data().read("runs/test/tasks/publish.json")).message
        assert "was changed since the gate decided on it" in message
        path.write_bytes(before)
    assert run.registry.releases() == ()


@pytest.mark.parametrize("figures", ["evaluation", "benchmark"])
def test_figures_of_another_model_are_not_published_with_this_one(run, figures):
    data = MODELS["int8"].replace(b"i", b"I")
    write_candidate(run.folder / "int8", "int8", data)
    if figures == "benchmark":
        folder = run.folder / "int8-evaluation"
        lineage = measured_from(candidate=tree_digest(run.folder / "int8"))
        Evaluation.read(folder).model_copy(update={"lineage": lineage}).write(folder)
    run.decide()
    with pytest.raises(SystemExit):
        run.publish()
    message = TaskResult.parse(run.context.data().read("runs/test/tasks/publish.json")).message
    what = "candidate" if figures == "evaluation" else "candidates"
    assert f"has measured another {what} than the one to be published" in message
    assert run.registry.releases() == ()


def test_strangers_that_may_create_objects_change_nothing_of_a_version(run):
    run.decide()
    for name in ("documents.zip", "model.tflite", "release.json"):
        digest = hashlib.sha256(MODELS["int8"]).hexdigest()
        for version in (digest[:12], digest[:32]):
            run.context.models().write(f"shapes/versions/{version}/{name}", b"a stranger's")
    published = run.publish()
    release = run.registry.release(published.version)
    assert run.registry.releases() == (release,)
    assert (release.model_name, release.run_id) == ("shapes", "test")
    assert run.registry.read_model(release.version) == MODELS["int8"]


def test_what_was_published_lies_in_the_run_folder_as_well(run):
    run.decide()
    published = run.publish()
    data = run.context.data().read("runs/test/published.json")
    assert Published.parse(data) == published


def test_the_receipt_holds_all_tasks_and_the_lineage_only_the_ancestors(run):
    digests = {id_: tree_digest(run.folder / id_) for id_ in MODELS}
    data = keep_record(run, "preprocess", "data", {})
    trained = keep_record(run, "finetune", "bundle", {"dataset": "data"})
    keep_record(run, "quantize[float32]", digests["float32"], {"dense": "bundle"})
    made = keep_record(run, "quantize[int8]", digests["int8"], {"dense": "bundle"})
    run.decide()
    folder = Path(run.publish().uri)
    assert Ancestry.read(folder).records == (data, trained, made)
    tasks = [task.task for task in Receipt.read(folder).tasks]
    assert tasks == ["preprocess", "finetune", "quantize[float32]", "quantize[int8]", "gate"]
    card = (folder / "README.md").read_text()
    assert "| finetune | `finetune` | `c0de` | `bundle` |" in card
    # What the gate was given stands in its record.
    assert "| accuracy_drop | 0.02 |" in card


def test_a_decision_against_all_publishes_nothing(run):
    run.decide(accuracy_drop=None)
    published = run.publish()
    assert (published.verdict, published.version, published.uri) == ("not_blessed", None, None)
    assert "state budgets.accuracy_drop" in published.message
    assert "No version is blessed." in published.message
    assert run.registry.releases() == ()


def test_a_decision_against_all_leaves_what_is_blessed(run):
    release = publish_and_bless(run.registry, b"champion")
    before = run.registry.blessed()
    run.decide(accuracy_drop=None)
    published = run.publish()
    assert (published.verdict, published.version) == ("not_blessed", release.version)
    assert f"Version {release.version} stays blessed." in published.message
    assert run.registry.blessed() == before


def test_what_is_blessed_already_is_not_published_again(run):
    run.decide()
    first = run.publish()
    before = run.registry.blessed()
    assert run.decide().verdict == "already_blessed"
    published = run.publish()
    assert (published.verdict, published.version) == ("already_blessed", first.version)
    assert run.registry.blessed() == before


def test_a_run_that_comes_second_does_not_undo_the_first(run):
    run.decide()
    other = publish_and_bless(run.registry, b"of another run", run_id="other")
    before = run.registry.blessed()
    published = run.publish()
    assert (published.verdict, published.version) == ("not_blessed", other.version)
    assert "meanwhile" in published.message and "run again" in published.message
    assert run.registry.blessed() == before
    assert run.registry.releases() == (other,)


def test_a_run_whose_model_another_run_blessed_meanwhile_has_nothing_to_do(run):
    run.decide()
    publish_and_bless(run.registry, MODELS["int8"], run_id="other")
    before = run.registry.blessed()
    published = run.publish()
    assert published.verdict == "already_blessed"
    assert "Another run blessed this very model" in published.message
    assert run.registry.blessed() == before


def test_a_second_attempt_of_the_same_run_finds_its_own_work(run):
    run.decide()
    first = run.publish()
    before = run.registry.blessed()
    again = run.publish()
    assert (again.verdict, again.version, again.uri) == ("blessed", first.version, first.uri)
    assert run.registry.blessed() == before


def test_a_rollback_between_gate_and_publish_is_not_undone(run):
    versions = [publish_and_bless(run.registry, data).version for data in (b"1", b"2")]
    run.decide()
    run.registry.roll_back()
    assert run.publish().version == versions[0]
    assert run.registry.blessed()[0].version == versions[0]


def test_what_was_rolled_back_does_not_come_back_by_itself(run):
    old = publish_and_bless(run.registry, b"old")
    run.decide()
    withdrawn = run.publish().version
    run.registry.roll_back()
    decision = run.decide()
    (reason,) = [c.reasons[0] for c in decision.candidates if c.candidate_id == "int8"]
    assert f"rolled back; `litesmith models rollback {withdrawn}` blesses it again" in reason
    assert decision.winner == "float32"
    winner = run.publish()
    assert winner.verdict == "blessed" and winner.version not in (old.version, withdrawn)
    # A later run has it withdrawn still; a person may bless it again.
    assert run.decide().winner == "float32"
    run.registry.roll_back(withdrawn)
    assert run.decide().verdict == "already_blessed"


def test_every_published_document_is_json_of_a_known_schema(run):
    run.decide()
    folder = Path(run.publish().uri)
    for path in folder.glob("*.json"):
        assert json.loads(path.read_text())["schema_version"] == 1
