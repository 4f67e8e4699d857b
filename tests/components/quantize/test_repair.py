"""A model broken on purpose: caught on validation, the layer named, mended or left with a word."""

import dataclasses
import multiprocessing
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.common.digests import tree_digest
from components.common.documents.candidate import Candidate
from components.common.documents.diagnosis import Finding, Tally
from components.common.drift.causes import find_cause
from components.common.drift.tracing import trace_drift
from components.common.lite.litert import Classifier
from components.common.lite.tflite import float_operators
from components.common.models.bundles import load_bundle_model, save_weights
from components.common.process.termination import TERMINATED
from components.common.run_context import RunContext
from components.common.tasks.image.export import preparation
from components.quantize import stage
from components.quantize.config import QuantizeConfig, Remedy
from components.quantize.conversion import convert_model
from components.quantize.repair import Attempt, Made, mend
from components.quantize.schemes import SCHEMES
from tests.builders.bundles import (
    normalize,
    read_split,
    store_models,
    unbalance,
    write_bundle,
)
from tests.builders.synthetic import draw_picture
from tests.components.conftest import QUANTIZATION, TrainedModel

CHEAP: tuple[Remedy, ...] = ("calibration", "float_layers")
INTEGERS_ALONE = QUANTIZATION.model_copy(update={"remedies": ("calibration", "qat")})


@pytest.fixture(scope="module")
def broken(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models document of a net whose logits are all 5,000 too great, which softmax ignores."""
    folder = tmp_path_factory.mktemp("broken")
    bundle = shutil.copytree(trained.dense, folder / "bundle")
    model = load_bundle_model(bundle)
    kernel, bias = model.get_layer("head").get_weights()
    model.get_layer("head").set_weights([kernel, bias + 5000])
    save_weights(model, bundle)
    return store_models(trained.context, folder / "models", {"dense": bundle})


def quantize(
    trained: TrainedModel, models: Path, output: Path, config: QuantizeConfig = QUANTIZATION
) -> Candidate:
    context = trained.context.model_copy(update={"run_id": output.name})
    stage.run(**told(trained, models, output, config, context))
    return Candidate.read(output)


def told(
    trained: TrainedModel, models: Path, output: Path, config: QuantizeConfig, context: RunContext
) -> dict[str, Any]:
    """Returns what the stage is told to make the int8 candidate of the dense model."""
    return {
        "dataset": trained.dataset,
        "models": models,
        "candidate_id": "int8",
        "config": config.to_json(),
        "context": context.to_json(),
        "candidate": output,
    }


def answers(candidate: Path, pictures: Any) -> Any:
    classifier = Classifier(candidate / "model.tflite")
    return np.stack([classifier.classify(picture) for picture in pictures]).argmax(axis=1)


def test_a_sound_candidate_has_no_diagnosis(candidates: dict[str, Path]) -> None:
    assert {Candidate.read(folder).diagnosis for folder in candidates.values()} == {None}


@pytest.mark.slow
def test_a_layer_that_int8_ruins_is_found_and_computed_in_float(
    trained: TrainedModel, broken: Path, tmp_path: Path
) -> None:
    candidate = quantize(trained, broken, tmp_path / "int8")
    diagnosis = candidate.diagnosis
    assert diagnosis is not None
    assert diagnosis.before.drop > 0.3
    assert (diagnosis.finding.layer, diagnosis.finding.cause) == ("head", "coarse_steps")
    assert diagnosis.kept == "head and probabilities in float32"
    assert diagnosis.remedies[-1].tally is not None
    assert diagnosis.remedies[-1].tally.lost <= 1
    data = (tmp_path / "int8" / "model.tflite").read_bytes()
    assert {"FULLY_CONNECTED", "SOFTMAX"} <= {*float_operators(data)}
    assert "CONV_2D" not in float_operators(data)
    pictures, labels, _ = read_split(trained.context, trained.manifest, "test")
    own = answers(tmp_path / "int8", pictures)
    keras = load_bundle_model(trained.dense).predict(normalize(pictures), verbose=0)
    assert (own == keras.argmax(axis=1)).mean() > 0.98
    assert "but for named layers" in candidate.words
    assert diagnosis.words.startswith("As asked for it lost ")
    assert "The two part at head (its steps are too coarse)" in diagnosis.words


@pytest.fixture(scope="module")
def uneven(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models document of a net in which few weights take nearly all steps of the rest."""
    folder = tmp_path_factory.mktemp("uneven")
    bundle = folder / "bundle"
    model = load_bundle_model(trained.dense)
    unbalance(model, 200)
    write_bundle(model, bundle, trained.context, trained.manifest)
    return store_models(trained.context, folder / "models", {"dense": bundle})


@pytest.fixture(scope="module")
def mended(trained: TrainedModel, uneven: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The int8 candidate of the uneven net, all of whose layers must compute in integers."""
    folder = tmp_path_factory.mktemp("mended") / "int8"
    quantize(trained, uneven, folder, INTEGERS_ALONE)
    return folder


@pytest.mark.slow
@pytest.mark.xdist_group("mended")
def test_a_model_whose_layers_must_all_compute_in_integers_is_trained_on(
    trained: TrainedModel, mended: Path
) -> None:
    diagnosis = Candidate.read(mended).diagnosis
    assert diagnosis is not None
    assert diagnosis.before.drop > 0.15
    assert (diagnosis.finding.layer, diagnosis.finding.cause) == ("block2_conv", "weights")
    assert diagnosis.kept == "trained on for int8"
    assert diagnosis.remedies[-1].tally is not None
    assert diagnosis.remedies[-1].tally.drop < diagnosis.before.drop / 3
    pictures, labels, _ = read_split(trained.context, trained.manifest, "test")
    probabilities = load_bundle_model(trained.dense).predict(normalize(pictures), verbose=0)
    exact = np.mean(probabilities.argmax(axis=1) == labels)
    assert exact - np.mean(answers(mended, pictures) == labels) < 0.04
    assert "Kept: trained on for int8." in diagnosis.words
    assert {*float_operators((mended / "model.tflite").read_bytes())} <= {"DEQUANTIZE"}


@pytest.mark.slow
@pytest.mark.xdist_group("mended")
def test_one_that_is_told_to_end_while_it_trains_goes_on(
    trained: TrainedModel, uneven: Path, mended: Path, tmp_path: Path
) -> None:
    context = trained.context.model_copy(update={"run_id": "told_to_end", "fresh": True})
    root = Path(context.data_root)
    arguments = told(trained, uneven, tmp_path / "int8", INTEGERS_ALONE, context)
    process = multiprocessing.get_context("spawn").Process(target=stage.run, kwargs=arguments)
    process.start()
    epochs = root / context.run_folder() / "tensorboard"
    while process.is_alive() and not any(epochs.rglob("*events*")):
        time.sleep(0.05)
    process.terminate()
    process.join()
    assert process.exitcode == TERMINATED
    assert list(root.glob("checkpoints/quantize/*-told_to_end/**/*.npz"))
    stage.run(**arguments)
    assert tree_digest(tmp_path / "int8") == tree_digest(mended)
    assert not list(root.glob("checkpoints/quantize/**/*.npz"))


@pytest.mark.slow
def test_who_wants_no_repair_gets_what_was_asked_for(
    trained: TrainedModel, broken: Path, tmp_path: Path
) -> None:
    config = QUANTIZATION.model_copy(update={"repair_above": None})
    candidate = quantize(trained, broken, tmp_path / "int8", config)
    assert candidate.diagnosis is None
    assert candidate.failure is not None
    assert "have nothing to do with the model's" in candidate.failure


def test_only_what_a_fault_may_cost_is_looked_at() -> None:
    snapped = {"int8": {"file_steps": [{"snap": {}}]}}
    shared = {"int8": {"file_steps": ["share"]}}
    stated = {"schemes": ("float32", "dynamic_range", "int8", snapped, shared)}
    config = QuantizeConfig.model_validate(stated).with_candidates(("dense",))
    looked_at = [
        each.id
        for each in config.candidates
        if config.for_candidate(each.id).repair_above is not None
    ]
    assert looked_at == ["int8", "int8-share"]


@dataclasses.dataclass
class Bench:
    """A Workshop over arrays; the first pictures are those that a hasty calibration takes."""

    model: Any
    spec: Any
    pictures: Any
    judged: Any
    folder: Path

    @property
    def most_examples(self) -> int:
        return len(self.pictures)

    def make(self, attempt: Attempt) -> Made:
        scheme = attempt.scheme
        some = self.pictures[: scheme.settings["calibration_examples"]]
        data = convert_model(self.model, self.spec, scheme.kind, some, settings=scheme.settings)
        return Made(attempt=attempt, data=data, steps=())

    def judge(self, data: bytes) -> Tally:
        path = self.folder / "model.tflite"
        path.write_bytes(data)
        classifier = Classifier(path)
        own = np.stack([classifier.classify(picture) for picture in self.judged]).argmax(axis=1)
        true = self.model.predict(normalize(self.judged), verbose=0).argmax(axis=1)
        return Tally(examples=len(true), lost=int((own != true).sum()), won=0)

    def find(self, data: bytes) -> Finding:
        steps = preparation(self.spec)
        return find_cause(trace_drift(self.model, data, self.judged[:16], preparation=steps))


@pytest.fixture
def workshop(trained: TrainedModel, tmp_path: Path) -> Bench:
    """Its first ten pictures are dim and of one class; what follows, and is judged, is neither."""
    first = np.stack([draw_picture(0, seed, low=120, high=134) for seed in range(10)])
    first[0, 0, 0], first[0, -1, -1] = 0, 255
    others = [draw_picture(seed % 3, seed) for seed in range(130)]
    return Bench(
        load_bundle_model(trained.dense),
        trained.bundle("dense").input,
        np.concatenate([first, others[:30]]),
        np.stack(others[30:]),
        tmp_path,
    )


@dataclasses.dataclass
class Losses:
    """A Workshop that knows what each way to make a file loses of a hundred answers."""

    by_remedy: Mapping[str, int]
    finding: Finding
    made: list[str] = dataclasses.field(default_factory=list)
    most_examples: int = 1000

    def make(self, attempt: Attempt) -> Made:
        self.made.append(attempt.remedy)
        return Made(attempt=attempt, data=attempt.remedy.encode(), steps=())

    def judge(self, data: bytes) -> Tally:
        return Tally(examples=100, lost=self.by_remedy[data.decode()], won=0)

    def find(self, data: bytes) -> Finding:
        return self.finding


SATURATED = Finding(layer="conv", cause="saturation", evidence=(), own_db=3.0, to_spare=("conv",))
MORE, SPARED, TRAINED = "calibrated on 40 examples", "conv in float32", "trained on for int8"
ALL: tuple[Remedy, ...] = ("qat", "float_layers", "calibration")


@pytest.mark.parametrize(
    ("losses", "remedies", "tried"),
    [
        ({"": 30, MORE: 20, f"{MORE}; {SPARED}": 1}, ALL, [MORE, f"{MORE}; {SPARED}"]),
        (
            {"": 30, MORE: 20, f"{MORE}; {SPARED}": 10, f"{MORE}; {TRAINED}": 12},
            ALL,
            [MORE, f"{MORE}; {SPARED}", f"{MORE}; {TRAINED}"],
        ),
        ({"": 30, MORE: 40, TRAINED: 12}, ("qat", "calibration"), [MORE, TRAINED]),
        ({"": 30, SPARED: 12}, ("float_layers",), [SPARED]),
        ({"": 30}, (), []),
    ],
)
def test_what_costs_more_is_tried_where_what_costs_less_is_not_enough(
    losses: Mapping[str, int], remedies: tuple[Remedy, ...], tried: Sequence[str]
) -> None:
    workshop = Losses(losses, SATURATED)
    first = workshop.make(asked_for(10))
    made, diagnosis = mend(workshop, first, allowed_drop=0.02, remedies=remedies)
    assert workshop.made[1:] == tried
    assert diagnosis is not None
    assert (diagnosis.kept or "") == min(losses, key=lambda remedy: losses[remedy])
    assert made.attempt.retrained == made.attempt.remedy.endswith(TRAINED)
    assert made.attempt.scheme.kind == (
        "int8_selective" if SPARED in made.attempt.remedy else "int8"
    )


def test_only_what_is_int8_throughout_is_trained_for_it() -> None:
    workshop = Losses({"": 30, MORE: 20}, SATURATED)
    first = workshop.make(asked_for(10, scheme="int16x8"))
    mend(workshop, first, allowed_drop=0.02, remedies=ALL)
    assert workshop.made[1:] == [MORE]


def asked_for(count: int, *, scheme: str = "int8") -> Attempt:
    specified = SCHEMES[scheme].specify({"calibration_examples": count})
    return Attempt(scheme=specified, file_steps=())


@pytest.mark.slow
def test_a_calibration_on_one_class_alone_is_mended_by_more_examples(workshop: Bench) -> None:
    made, diagnosis = mend(
        workshop, workshop.make(asked_for(10)), allowed_drop=0.02, remedies=CHEAP
    )
    assert diagnosis is not None
    assert (diagnosis.finding.layer, diagnosis.finding.cause) == ("block1_conv", "saturation")
    assert diagnosis.kept == "calibrated on 40 examples"
    assert made.attempt.scheme.settings["calibration_examples"] == 40
    assert len(diagnosis.remedies) == 1  # What costs more is not tried.


@pytest.mark.slow
def test_what_no_remedy_mends_is_said(workshop: Bench) -> None:
    workshop.pictures = workshop.pictures[:10]
    first = workshop.make(asked_for(10, scheme="int16x8"))
    made, diagnosis = mend(workshop, first, allowed_drop=0.02, remedies=CHEAP)
    assert diagnosis is not None
    assert made.data == first.data
    assert "calibrated" not in diagnosis.words  # There are no more examples.
    assert diagnosis.kept is None
    assert "schemes whose activations stay in floating point" in diagnosis.words
