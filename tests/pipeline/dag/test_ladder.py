"""A declared ladder through the whole DAG: each model of its parent's, each candidate by name."""

import re
from pathlib import Path

import pytest

from components.common.documents.candidate import Candidate
from components.common.documents.decision import Decision
from components.common.documents.record import Record
from pipeline.recipe import load_recipe
from pipeline.terminal.exit_codes import ExitCode
from tests.pipeline.local_runs import LocalRun

# The run is made once.
pytestmark = [pytest.mark.dag, pytest.mark.slow, pytest.mark.xdist_group("ladder")]

RECIPE = Path(__file__).with_name("ladder.yaml")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> LocalRun:
    folder = tmp_path_factory.mktemp("ladder")
    run = LocalRun([str(RECIPE)], data_root=folder / "data", folder=folder)
    assert run.wait(timeout=900) in (ExitCode.OK, ExitCode.NOT_BLESSED), run.output()
    return run


def records(run: LocalRun) -> dict[str, Record]:
    return {result.task: result.record for result in run.results() if result.record is not None}


def test_every_model_is_made_of_its_parents(run: LocalRun) -> None:
    made = records(run)
    digests = {"dense": made["finetune"].output_digest}
    for variant in load_recipe(str(RECIPE)).variants()[1:]:
        record = made[f"compress[{variant.id}]"]
        assert record.inputs["parent"] == digests[str(variant.parent)]
        digests[variant.id] = record.output_digest
    assert len(set(digests.values())) == 5


def test_every_candidate_is_of_its_variant_and_has_its_steps_on_the_file(run: LocalRun) -> None:
    stored = (run.data_root / "store" / "quantize").glob("*/*/candidate.json")
    made = {each.candidate_id: each for each in (Candidate.read(path.parent) for path in stored)}
    assert set(made) == {
        "float32", "int8", "half-int8", "nearly-all-int8", "nearly-all-int8-share", "taught-int8",
    }  # fmt: skip
    models = records(run)
    for id_, candidate in made.items():
        task = "finetune" if candidate.variant == "dense" else f"compress[{candidate.variant}]"
        assert models[f"quantize[{id_}]"].inputs["bundle"] == models[task].output_digest
        assert candidate.model is not None, candidate.failure
    assert [step.kind for step in made["nearly-all-int8-share"].file_steps] == ["share"]
    sizes = {id_: one.model.size_bytes for id_, one in made.items() if one.model is not None}
    assert sizes["nearly-all-int8-share"] < sizes["nearly-all-int8"]


def test_each_is_judged_held_against_its_parent_and_shown(run: LocalRun) -> None:
    decision = Decision.read(run.folder())
    assert all(verdict.summary for verdict in decision.candidates)
    compared = {(gain.step, gain.before, gain.after) for gain in decision.steps}
    assert {
        ("pruning", "int8", "half-int8"),
        ("pruning", "half-int8", "nearly-all-int8"),
        ("pruning", "int8", "taught-int8"),
        ("share", "nearly-all-int8", "nearly-all-int8-share"),
    } <= compared
    page = (run.folder() / "report.html").read_text(encoding="utf-8")
    rungs = re.findall(r'<tr class="rung">.*?--depth:(\d)"><span>(.*?)</span>', page)
    assert rungs == [
        ("0", "dense"), ("1", "half"), ("2", "most"), ("3", "nearly-all"), ("1", "taught")
    ]  # fmt: skip
