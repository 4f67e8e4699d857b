"""The gate as its component runs it: artifacts in, a decision out."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from components.common.data import membership
from components.common.data.membership import Membership
from components.common.data.predictions import read_evaluation_predictions
from components.common.documents.decision import Decision
from components.common.documents.evaluation import Evaluation
from components.common.documents.record import TaskResult
from components.common.lite.litert import Classifier
from components.common.registry import Registry
from components.common.run_context import RunContext
from components.gate import stage
from components.gate.comparisons import count_pairs
from components.gate.config import GateConfig
from components.gate.entrants import align_correct
from tests.builders.artifacts import write_benchmark, write_evaluation, write_measured_run
from tests.builders.releases import make_release, publish_and_bless
from tests.builders.synthetic import run_context

EXAMPLES = 400
MODELS = {"float32": b"float32" * 400, "int8": b"int8" * 100}
CONFIG = GateConfig(accuracy_drop=0.02, model_name="shapes")


@dataclasses.dataclass
class Run:
    """The artifacts that the gate reads, and where it works."""

    folder: Path
    context: RunContext
    inputs: dict[str, Any]

    @property
    def registry(self) -> Registry:
        return Registry(self.context.models(), "shapes")

    def decide(self, config: GateConfig = CONFIG, **inputs: Any) -> Decision:
        stage.STAGE.run(
            **{**self.inputs, **inputs},
            config=config.to_json(),
            context=self.context.to_json(),
            decision=self.folder / "decision",
        )
        return Decision.read(self.folder / "decision")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    context = run_context(tmp_path)
    inputs = write_measured_run(tmp_path, context, MODELS, examples=EXAMPLES)
    return Run(tmp_path, context, inputs)


def test_examples_and_candidates_are_joined_by_id(run):
    """Each evaluation lists the examples in an order of its own, and they agree on all."""
    decision = run.decide()
    assert (decision.verdict, decision.winner) == ("blessed", "int8")
    (comparison,) = decision.candidates[1].comparisons
    assert (comparison.drop, comparison.examples) == (0, EXAMPLES)
    swapped = run.decide(candidates=run.inputs["candidates"][::-1])
    assert swapped == decision


def test_the_decision_lies_in_the_run_folder_as_well(run):
    decision = run.decide()
    data = run.context.data().read("runs/test/decision.json")
    assert Decision.parse(data) == decision
    assert decision.lineage.inputs.keys() == run.inputs.keys()


def test_evaluations_of_other_examples_are_refused(run):
    predictions = read_evaluation_predictions(run.folder / "int8-evaluation")
    ids = predictions.ids.copy()
    ids[0] = b"elsewhere"
    write_evaluation(
        run.folder / "int8-evaluation", "int8", dataclasses.replace(predictions, ids=ids)
    )
    with pytest.raises(ValueError, match="not of one test split"):
        run.decide()
    data = run.context.data().read("runs/test/tasks/gate.json")
    assert TaskResult.parse(data).status == "failed"


def test_an_evaluation_too_few_is_refused(run):
    with pytest.raises(ValueError, match=r"candidates .* but evaluations"):
        run.decide(evaluations=run.inputs["evaluations"][:1])


def test_a_candidate_without_an_evaluation_is_no_finalist(tmp_path: Path) -> None:
    """However small, it can't win, and it costs the others no certainty."""
    models = MODELS | {"float16": b"float16"}
    run = Run(tmp_path, context := run_context(tmp_path), {})
    run.inputs |= write_measured_run(tmp_path, context, models, examples=EXAMPLES)
    two = {
        name: tuple(folder for folder in run.inputs[name] if "float16" not in folder.name)
        for name in ("candidates", "evaluations")
    }
    assert run.decide().winner == "float16"
    handed_two = run.decide(evaluations=two["evaluations"])
    assert handed_two.winner == "int8"
    *others, left_out = sorted(handed_two.candidates, key=lambda one: not one.finalist)
    assert tuple(others) == run.decide(**two).candidates, "as if there were no third"
    assert left_out.candidate_id == "float16"
    assert (left_out.finalist, left_out.accepted, left_out.comparisons) == (False, False, ())
    assert left_out.reasons == ("It is no finalist: it was not evaluated on the test split.",)
    assert {gain.after for gain in handed_two.steps} == {"int8"}


def test_what_was_evaluated_on_validation_proves_nothing(run):
    predictions = read_evaluation_predictions(run.folder / "int8-evaluation")
    write_evaluation(run.folder / "int8-evaluation", "int8", predictions, split="validation")
    with pytest.raises(ValueError, match="int8 was evaluated on the validation split"):
        run.decide()


def test_a_blessed_model_that_is_no_finalist_is_run_again(tmp_path: Path) -> None:
    """Its outcomes are not taken from the candidate that it is, for that one has none."""
    models = MODELS | {"float16": b"float16"}
    run = Run(tmp_path, context := run_context(tmp_path), {})
    run.inputs |= write_measured_run(tmp_path, context, models, examples=EXAMPLES)
    publish_and_bless(run.registry, models["float16"], **membership_of(run.inputs["dataset"]))
    alone = [folder for folder in run.inputs["evaluations"] if "float16" not in folder.name]
    (note,) = run.decide(evaluations=tuple(alone)).notes
    assert "LiteRT cannot load the model" in note


def test_the_decision_follows_the_pointer_and_never_comes_from_the_store(run):
    assert run.decide().verdict == "blessed"
    publish_and_bless(run.registry, MODELS["int8"])
    _, generation = run.registry.blessed()
    decision = run.decide()
    assert decision.verdict == "already_blessed"
    assert decision.blessed_before.generation == generation
    publish_and_bless(run.registry, MODELS["float32"])
    assert run.decide().verdict == "blessed"


def test_other_classes_than_the_blessed_model_knows_are_noted(run):
    release = make_release(b"champion").model_copy(update={"class_names": ("cat", "dog")})
    release = run.registry.publish(release, b"champion", {})
    run.registry.bless(release, run_id="before", generation=0)
    decision = run.decide()
    assert decision.verdict == "blessed"
    (note,) = decision.notes
    assert "it knows the classes cat, dog, the data set now has bar, cross, disc" in note


def test_pictures_that_the_blessed_model_does_not_take_are_noted(run):
    release = make_release(b"champion")
    spec = release.model.input.model_copy(update={"shape": (1, 32, 32, 3)})
    model = release.model.model_copy(update={"input": spec})
    release = release.model_copy(update={"model": model})
    release = run.registry.publish(release, b"champion", {})
    run.registry.bless(release, run_id="before", generation=0)
    (note,) = run.decide().notes
    assert "takes pictures of shape (32, 32, 3), the data set now has (16, 16, 1)" in note


def test_a_blessed_model_that_litert_cannot_load_is_noted(run):
    publish_and_bless(run.registry, b"no model at all", **membership_of(run.inputs["dataset"]))
    decision = run.decide()
    assert decision.verdict == "blessed"
    (note,) = decision.notes
    assert "LiteRT cannot load the model" in note


@pytest.mark.parametrize("data", [None, b"", b"PK no zip"])
def test_a_version_that_does_not_say_what_it_was_trained_on_is_noted(run, data):
    documents = {} if data is None else {membership.FILE_NAME: data}
    publish_and_bless(run.registry, b"champion", **documents)
    (note,) = run.decide().notes
    assert "membership.npz is missing or damaged" in note


@pytest.mark.parametrize("seen", [0, 20])
def test_the_blessed_model_runs_on_what_it_has_not_seen(
    trained, candidates, tmp_path, seen, monkeypatch
):
    """Its comparisons are those of its own evaluation, had it been a candidate."""
    from components.evaluate import stage as evaluate
    from components.evaluate.config import EvaluateConfig

    folders = {}
    for id_ in ("float32", "int8", "pruned-int8"):
        folders[id_] = tmp_path / id_
        evaluate.run(
            dataset=trained.dataset,
            models=trained.models,
            candidate=candidates[id_],
            candidate_id=id_,
            config=EvaluateConfig(bootstrap_resamples=100).to_json(),
            context=trained.context.to_json(),
            evaluation=folders[id_],
            metrics=_Log(),
            confusion=_Log(),
        )
    write_benchmark(tmp_path / "benchmark", {"float32": 1.0, "int8": 0.5})
    context = run_context(tmp_path).model_copy(update={"data_root": trained.context.data_root})
    registry = Registry(context.models(), "shapes")
    blessed = (candidates["pruned-int8"] / "model.tflite").read_bytes()
    trained_on = [(f"test{number:06d}", "", "train") for number in range(seen)]
    Membership.of(trained_on).write(tmp_path)
    publish_and_bless(registry, blessed, **membership_of(tmp_path))

    def decide() -> Decision:
        stage.STAGE.run(
            candidates=(candidates["float32"], candidates["int8"]),
            evaluations=(folders["float32"], folders["int8"]),
            benchmark=tmp_path / "benchmark",
            dataset=trained.dataset,
            models=trained.models,
            config=GateConfig(accuracy_drop=0.2, model_name="shapes").to_json(),
            context=context.to_json(),
            decision=tmp_path / "decision",
        )
        return Decision.read(tmp_path / "decision")

    decision = decide()
    with monkeypatch.context() as patched:
        patched.setattr(Classifier, "classify", None)
        assert decide() == decision, "and is asked nothing twice"
    order = read_evaluation_predictions(folders["float32"])
    fair = order.ids >= b"test%06d" % seen
    assert fair.sum() == len(fair) - seen
    if seen:
        (note,) = decision.notes
        assert f"on {len(fair) - seen} of {len(fair)} test examples" in note
    else:
        assert decision.notes == ()
    correct = {
        id_: align_correct(read_evaluation_predictions(folder), order)
        for id_, folder in folders.items()
    }
    accuracy = Evaluation.read(folders["pruned-int8"]).metrics["accuracy"].value
    assert correct["pruned-int8"].mean() == pytest.approx(accuracy)
    for verdict in decision.candidates:
        comparison = verdict.comparisons[-1]
        expected = count_pairs(correct["pruned-int8"][fair], correct[verdict.candidate_id][fair])
        assert comparison.examples == fair.sum()
        assert comparison.reference == f"blessed {registry.blessed()[0].version}"
        assert comparison.drop == pytest.approx(expected.drop)


def membership_of(dataset: Path) -> dict[str, bytes]:
    """Returns what a version of a model has of the data set that it was trained on."""
    return {membership.FILE_NAME: (dataset / membership.FILE_NAME).read_bytes()}


class _Log:
    """Takes what a stage logs to KFP."""

    def log_metric(self, name: str, value: float) -> None: ...
    def log_confusion_matrix(self, names: list[str], matrix: list[list[int]]) -> None: ...
