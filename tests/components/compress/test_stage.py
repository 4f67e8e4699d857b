"""compress: each variant from its parent, by its own steps, and the bundles stay in the store."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from components.common.documents.models import ModelEntry, Models
from components.common.documents.record import TaskResult
from components.common.documents.variant import DENSE, StepSpec, Variant
from components.common.errors import BAD_INPUT
from components.common.run_context import RunContext
from components.compress import stage
from components.compress.config import CompressConfig
from components.compress.steps.prune import Settings
from components.finetune import stage as finetune_stage
from components.finetune.config import FinetuneConfig
from tests.builders.synthetic import run_context, write_dataset

pytestmark = pytest.mark.xdist_group("compress")  # What they share is made once.


def prune(sparsity: float) -> StepSpec:
    settings = Settings(final_sparsity=sparsity, epochs=1, global_batch_size=24, end=1.0)
    return StepSpec(kind="prune", settings=settings.model_dump(mode="json"))


HALF = Variant(id="half", parent=DENSE, steps=(prune(0.5),))
SIBLING = Variant(id="sibling", parent=DENSE, steps=(prune(0.3),))
CHILD = Variant(id="child", parent="half", steps=(prune(0.6), prune(0.8)))
CONFIG = CompressConfig(variants=(HALF, SIBLING, CHILD))


@dataclasses.dataclass(frozen=True)
class Run:
    """A run's tasks up to the models, in a data root and a folder of artifacts."""

    context: RunContext
    folder: Path

    def fine_tune(self) -> Path:
        write_dataset(self.context, self.folder / "dataset", examples=EXAMPLES)
        config = FinetuneConfig(backbone="small_cnn", width=0.25, epochs=1)
        finetune_stage.run(
            dataset=self.folder / "dataset",
            config=config.to_json(),
            context=self.context.to_json(),
            models=self.folder / "models",
        )
        return self.folder / "models"

    def compress(self, id_: str, models: Path, config: CompressConfig = CONFIG) -> Path:
        output = self.folder / f"{models.name}+{id_}"
        stage.run(
            dataset=self.folder / "dataset",
            models=models,
            variant_id=id_,
            config=config.to_json(),
            context=self.context.to_json(),
            compressed=output,
        )
        return output

    def result(self, task: str) -> TaskResult:
        name = f"{self.context.run_folder()}/tasks/{task}.json"
        return TaskResult.parse(self.context.data().read(name))

    def stored(self, entry: ModelEntry) -> Path:
        at = entry.stored
        return Path(self.context.data_root, "store", at.stage, at.key, at.output_digest)


EXAMPLES = {"train": 48, "validation": 24, "test": 6}


@pytest.fixture(scope="module")
def fine_tuned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    folder = tmp_path_factory.mktemp("trained")
    run = Run(run_context(folder), folder)
    return run, run.fine_tune()


@pytest.fixture(scope="module")
def tree(fine_tuned: tuple[Run, Path]) -> tuple[Run, Path]:
    """All variants: two of the trained model, one of a variant."""
    run, models = fine_tuned
    for variant in CONFIG.variants:
        models = run.compress(variant.id, models)
    return run, models


@pytest.fixture
def elsewhere(fine_tuned: tuple[Run, Path], tmp_path: Path) -> Run:
    """A copy of the data root with nothing but the trained model in its store."""
    run, _ = fine_tuned
    shutil.copytree(Path(run.context.data_root, "shards"), tmp_path / "data/shards")
    shutil.copytree(Path(run.context.data_root, "store/finetune"), tmp_path / "data/store/finetune")
    shutil.copytree(run.folder / "dataset", tmp_path / "dataset")
    shutil.copytree(run.folder / "models", tmp_path / "models")
    return Run(run_context(tmp_path), tmp_path)


def sparsity(entry: ModelEntry) -> list[float]:
    """Returns the share of zeros that each step left in the layers that it pruned."""
    return [
        sum(layer.zeros for layer in step.sparsity if layer.pruned)
        / sum(layer.parameters for layer in step.sparsity if layer.pruned)
        for step in entry.bundle.steps
    ]


@pytest.mark.slow
def test_a_tree_of_variants_is_made_each_from_its_parent(tree: tuple[Run, Path]) -> None:
    run, path = tree
    models = Models.read(path)
    assert [(entry.id, entry.parent, entry.title) for entry in models.entries] == [
        ("dense", None, ""),
        ("half", "dense", "prune 50 %"),
        ("sibling", "dense", "prune 30 %"),
        ("child", "half", "prune 60 %, then prune 80 %"),
    ]
    assert sparsity(models.entry("half")) == [pytest.approx(0.5, abs=0.01)]
    assert sparsity(models.entry("sibling")) == [pytest.approx(0.3, abs=0.01)]
    assert sparsity(models.entry("child")) == pytest.approx([0.6, 0.8], abs=0.01)
    parents = {entry.id: entry.bundle.lineage.inputs.get("parent") for entry in models.entries[1:]}
    digests = {entry.id: entry.stored.output_digest for entry in models.entries}
    assert parents == {
        "half": digests["dense"],
        "sibling": digests["dense"],
        "child": digests["half"],
    }
    assert list(models.ancestors("child")) == ["half", "dense"]
    assert run.result("compress[child]").status == "computed"


@pytest.mark.slow
def test_the_epochs_of_several_steps_are_counted_through(tree: tuple[Run, Path]) -> None:
    _, path = tree
    bundle = Models.read(path).entry("child").bundle
    assert [epoch.epoch for epoch in bundle.history] == [1, 2]
    assert bundle.best_epoch == 2


@pytest.mark.slow
def test_the_document_is_small_and_the_weights_stay_in_the_store(tree: tuple[Run, Path]) -> None:
    run, path = tree
    assert [file.name for file in path.iterdir()] == ["models.json"]
    for entry in Models.read(path).entries:
        files = {file.name for file in run.stored(entry).iterdir()}
        assert files == {"bundle.json", "predictions.npz", "weights.npz"}


@pytest.mark.slow
def test_another_variant_in_the_recipe_moves_no_key(tree: tuple[Run, Path]) -> None:
    run, path = tree
    again = dataclasses.replace(run, context=run.context.model_copy(update={"run_id": "again"}))
    config = CompressConfig(variants=(SIBLING.model_copy(update={"id": "renamed"}), HALF))
    models = again.compress("renamed", run.folder / "models", config)
    models = again.compress("half", models, config)
    assert again.result("compress[renamed]").status == "cached"
    assert again.result("compress[half]").status == "cached"
    before, after = Models.read(path), Models.read(models)
    assert after.entry("renamed").stored == before.entry("sibling").stored
    assert after.entry("half").stored == before.entry("half").stored


def test_a_parent_that_is_gone_is_told_of(
    elsewhere: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    models = elsewhere.folder / "models"
    shutil.rmtree(elsewhere.stored(Models.read(models).entry("dense")))
    with pytest.raises(SystemExit) as exit_:
        elsewhere.compress("half", models)
    assert exit_.value.code == BAD_INPUT
    assert "is gone, removed by `litesmith cache prune` or by hand" in capsys.readouterr().err
    assert elsewhere.result("compress[half]").user_error


def test_a_parent_that_differs_is_not_believed(
    elsewhere: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    models = elsewhere.folder / "models"
    weights = elsewhere.stored(Models.read(models).entry("dense")) / "weights.npz"
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    with pytest.raises(SystemExit) as exit_:
        elsewhere.compress("half", models)
    assert exit_.value.code == BAD_INPUT
    assert "is not what finetune left there for this run" in capsys.readouterr().err


def test_a_run_keeps_to_the_bundle_that_a_fresh_run_has_replaced(
    elsewhere: Run, tmp_path: Path
) -> None:
    """The record is another's by then; the files that this run knows stand beside."""
    models = elsewhere.folder / "models"
    own = elsewhere.stored(Models.read(models).entry("dense"))
    record = json.loads((own.parent / "record.json").read_bytes())
    shutil.copytree(own, own.with_name("f" * 64))
    (own.parent / "record.json").write_text(json.dumps({**record, "output_digest": "f" * 64}))
    made = Models.read(elsewhere.compress("half", models)).entry("half")
    assert made.bundle.lineage.inputs["parent"] == own.name
    assert sparsity(made) == [pytest.approx(0.5, abs=0.01)]
