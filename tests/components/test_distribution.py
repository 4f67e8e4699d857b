"""Training on several devices or workers gives what one gives with the same global batch."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import tensorflow_model_optimization as tfmot

from components.common.config import StageConfig
from components.common.documents.bundle import ModelBundle
from components.common.documents.dataset import DatasetManifest
from components.common.documents.image import InputSpec
from components.common.documents.variant import StepSpec
from components.common.errors import UserError
from components.common.keras import tf
from components.common.models.bundles import load_bundle_model
from components.common.process.termination import TERMINATED
from components.common.run_context import RunContext
from components.common.tasks.image.config import Augment
from components.common.tasks.image.inputs import prepare_inputs
from components.common.tasks.image.models.backbones import BACKBONES
from components.common.training.config import Optimizer
from components.common.training.examples import KeptExamples, open_examples
from components.common.training.input_pipeline import keep_computed, training_batches
from components.common.training.loop import make_deterministic
from components.common.training.phases import Phase
from components.common.training.strategy import open_strategy, read_variables
from components.common.training.trainer import Trainer
from components.common.workers.worker import TF_CONFIG, Worker, tf_config, this_worker
from components.compress.config import VariantConfig
from components.compress.steps import prune
from components.finetune.config import FinetuneConfig
from components.finetune.fine_tuning import build_model
from tests.builders.addresses import free_addresses
from tests.builders.synthetic import run_context, write_dataset

ROOT = Path(__file__).parents[2]
SHARDS = 4
CONFIG = FinetuneConfig(
    backbone="small_cnn",
    width=0.25,
    epochs=3,
    dropout=0.3,
    global_batch_size=16,
    augment={"flip": True, "shift": 0.1},
    optimizer={"learning_rate": 3e-3, "weight_decay": 1e-3},
)
PRUNING = prune.Settings(
    final_sparsity=0.6,
    shares="lamp",
    distillation={"weight": 0.5},
    epochs=3,
    global_batch_size=16,
    augment={"flip": True},
    optimizer={"learning_rate": 1e-3},
)
LOGICAL_DEVICES = (
    "from components.common.keras import tf; "
    "(cpu,) = tf.config.list_physical_devices('CPU'); "
    "tf.config.set_logical_device_configuration("
    "cpu, [tf.config.LogicalDeviceConfiguration()] * 3); "
)

# States each tenth of a second, so that a killed training has some to go on from.
KEPT_OFTEN = (
    "from components.common.training import resumption; "
    "resumption.INTERVAL_S = 0.1; resumption.SHARE_OF_TIME = 1.0; "
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunContext, Path]:
    folder = tmp_path_factory.mktemp("distributed")
    context = run_context(folder)
    # Neither 55 nor 22 can be divided by batches or devices.
    write_dataset(
        context,
        folder / "dataset",
        examples={"train": 55, "validation": 22, "test": 6},
        shards=SHARDS,
    )
    return context, folder / "dataset"


def train(dataset: Path, context: RunContext, output: Path, config: FinetuneConfig = CONFIG) -> str:
    """Returns code that fine-tunes; its output is a bundle."""
    return run_stage("finetune", {"dataset": dataset, "bundle": output}, config, context)


def prune_dense(dense: Path, dataset: Path, context: RunContext, output: Path) -> str:
    """Returns code that prunes what was fine-tuned."""
    paths = {"dataset": dataset, "parent": dense, "bundle": output}
    steps = (StepSpec(kind="prune", settings=PRUNING.model_dump(mode="json")),)
    return run_stage("compress", paths, VariantConfig(steps=steps), context)


def run_stage(
    stage: str, paths: Mapping[str, Path], config: StageConfig, context: RunContext
) -> str:
    given = ", ".join(f"{name}=Path({str(path)!r})" for name, path in paths.items())
    return (
        f"from pathlib import Path; from components.{stage} import stage; "
        f"stage.STAGE.run({given}, config={config.to_json()!r}, context={context.to_json()!r})\n"
    )


def start(code: str, output: Path, **environment: str) -> subprocess.Popen:
    """Runs code in a process of its own, whose log is named as its output is."""
    with output.with_suffix(".log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", **environment},
            stdout=log,
            stderr=log,
        )


def finish(process: subprocess.Popen, output: Path) -> None:
    assert process.wait(600) == 0, output.with_suffix(".log").read_text()


def partial_root(whole: str, folder: Path, kept) -> str:
    """Makes a data root that has some of another's shards, as links."""
    for path in Path(whole, "shards", "synthetic").iterdir():
        if kept(path.name):
            link = folder / "shards" / "synthetic" / path.name
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                link.symlink_to(path)
    return str(folder)


@dataclasses.dataclass(frozen=True)
class Trained:
    """What came of CONFIG and then of PRUNING."""

    dense: Path
    pruned: Path


def fresh_root(context: RunContext, folder: Path) -> RunContext:
    """Returns the same run in a data root that has nothing but all shards."""
    root = partial_root(context.data_root, folder, lambda name: True)
    return context.model_copy(update={"data_root": root})


@pytest.fixture(scope="module")
def single(dataset, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """On one device."""
    context, manifest = dataset
    folder = tmp_path_factory.mktemp("single")
    trained, here = Trained(folder / "dense", folder / "pruned"), fresh_root(context, folder)
    code = train(manifest, here, trained.dense)
    code += prune_dense(trained.dense, manifest, here, trained.pruned)
    finish(start(code, folder / "single"), folder / "single")
    return trained


@pytest.fixture(scope="module")
def three(dataset, single, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """On three devices at once; and `dense_elsewhere` beside it, on one that is not the host's."""
    context, manifest = dataset
    folder = tmp_path_factory.mktemp("three")
    trained = Trained(folder / "dense", folder / "pruned")
    roots = [fresh_root(context, folder / name) for name in ("root", "root_elsewhere")]
    code = LOGICAL_DEVICES + "import os\nwith tf.device('CPU:1'): "
    code += train(manifest, roots[1], folder / "dense_elsewhere")
    code += "os.environ['LITESMITH_DEVICES'] = 'mirrored'\n" + train(
        manifest, roots[0], trained.dense
    )
    code += prune_dense(single.dense, manifest, roots[0], trained.pruned)
    finish(start(code + BATCHES_AHEAD, folder / "three"), folder / "three")
    return trained


def assert_same_training(one: Path, other: Path) -> None:
    first, second = ModelBundle.read(one), ModelBundle.read(other)
    assert len(first.history) == len(second.history) == CONFIG.epochs
    assert first.steps == second.steps
    for mine, theirs in zip(first.history, second.history, strict=True):
        assert theirs.sparsity == mine.sparsity
        assert theirs.loss == pytest.approx(mine.loss, rel=1e-4)
        assert theirs.accuracy == pytest.approx(mine.accuracy, abs=1e-6)
        assert theirs.validation_loss == pytest.approx(mine.validation_loss, rel=2e-3)
    weights, others = (load_bundle_model(path).weights for path in (one, other))
    for mine, theirs in zip(weights, others, strict=True):
        # Keras' fused BatchNorm has Bessel's correction in its moving variance, the
        # synchronized one has not: 1/255 at most here.
        tolerance = 5e-3 if "moving_variance" in mine.name else 1e-4
        np.testing.assert_allclose(theirs.numpy(), mine.numpy(), atol=tolerance, rtol=tolerance)


@pytest.mark.slow
def test_three_devices_train_as_one_does(single, three):
    assert_same_training(single.dense, three.dense)


@pytest.mark.slow
def test_three_devices_and_two_workers_prune_as_one_device_does(dataset, single, three, tmp_path):
    context, manifest = dataset
    addresses = free_addresses(2)
    outputs = [tmp_path / f"worker{number}" for number in range(2)]
    processes = []
    for number, output in enumerate(outputs):
        here = fresh_root(context, tmp_path / f"root{number}")
        environment = {TF_CONFIG: tf_config(addresses, number)}
        code = prune_dense(single.dense, manifest, here, output)
        processes.append(start(code, output, **environment))
    for process, output in zip(processes, outputs, strict=True):
        finish(process, output)
    assert ModelBundle.read(single.pruned).history[-1].sparsity == pytest.approx(0.6, abs=0.01)
    assert_same_training(single.pruned, three.pruned)
    assert_same_training(single.pruned, outputs[0])
    assert not outputs[1].exists()


@pytest.mark.slow
def test_another_device_than_the_hosts_own_trains_as_it_does(single, three):
    assert_same_training(single.dense, three.dense.with_name("dense_elsewhere"))


BATCHES_AHEAD = """
from components.common.training.strategy import Replicas, fetch_ahead, one_ahead

floats = tf.data.Dataset.from_tensor_slices([0.0, 1.0, 2.0, 3.0, 4.0])
numbers = floats.map(lambda number: (tf.fill([3], number), tf.range(3)))
with tf.device("CPU:1"):
    fetched = list(fetch_ahead(numbers))
assert [values.numpy()[0] for values, _ in fetched] == [0, 1, 2, 3, 4]
assert all(tensor.device.endswith("CPU:1") for batch in fetched for tensor in batch)
assert fetch_ahead(numbers) is numbers, "what trains on the host needs no copy"

with tf.distribute.MirroredStrategy(["CPU:1", "CPU:2"]).scope():
    replicas = Replicas()
    values, places = replicas.split((tf.constant([5.0, 6.0, 7.0]), tf.range(3)))
    for tensors in map(replicas.strategy.experimental_local_results, (values, places)):
        assert [tensor.device[-5:] for tensor in tensors] == ["CPU:1", "CPU:2"]
    parts = replicas.strategy.experimental_local_results(values)
    assert [part.numpy().tolist() for part in parts] == [[5.0], [6.0, 7.0]]

made = []
ahead = one_ahead(made.append(n) or n for n in range(4))
assert next(ahead) == 0 and made == [0, 1]
assert list(ahead) == [1, 2, 3] and list(one_ahead(iter([]))) == []
print("batches are ahead")
"""


@pytest.mark.slow
def test_batches_are_on_their_devices_ahead_of_their_steps(three):
    assert "batches are ahead" in three.dense.with_name("three.log").read_text()


@pytest.mark.slow
def test_two_workers_train_as_one_does_each_with_its_own_shards(dataset, single, tmp_path):
    """What a worker must not open is not there: of train and, but for the chief, of the rest.

    The chief writes predictions of the whole validation and test splits.
    """
    context, manifest = dataset
    addresses = free_addresses(2)
    processes = []
    for index in range(2):
        own = {f"-{shard:05d}-of" for shard in range(index, SHARDS, 2)}

        def is_kept(name: str, own=own, index=index) -> bool:
            whole = index == 0 and not name.startswith("train")
            return whole or any(number in name for number in own)

        root = partial_root(context.data_root, tmp_path / f"root{index}", is_kept)
        here = context.model_copy(update={"data_root": root})
        output = tmp_path / f"bundle{index}"
        environment = {TF_CONFIG: tf_config(addresses, index)}
        processes.append(start(train(manifest, here, output), output, **environment))
    for index, process in enumerate(processes):
        finish(process, tmp_path / f"bundle{index}")
    assert_same_training(single.dense, tmp_path / "bundle0")
    assert not (tmp_path / "bundle1").exists()
    assert not (tmp_path / "root1" / "store").exists()
    assert not (tmp_path / "root1" / "checkpoints").exists()
    assert not (tmp_path / "root1" / "runs").exists()


@pytest.mark.slow
def test_workers_that_are_told_to_end_or_killed_go_on_together(dataset, tmp_path):
    context, manifest = dataset
    config = CONFIG.model_copy(update={"epochs": 30})

    def start_both(name: str) -> list[subprocess.Popen]:
        here, addresses = fresh_root(context, tmp_path / name), free_addresses(2)
        outputs = [tmp_path / f"{name}{index}" for index in range(2)]
        return [
            start(
                KEPT_OFTEN + train(manifest, here, output, config),
                output,
                **{TF_CONFIG: tf_config(addresses, index)},
            )
            for index, output in enumerate(outputs)
        ]

    def start_disturbed() -> list[subprocess.Popen]:
        states = set(tmp_path.glob("disturbed/checkpoints/**/*.npz"))
        both = start_both("disturbed")
        wait_for(lambda: set(tmp_path.glob("disturbed/checkpoints/**/*.npz")) - states, both)
        return both

    # One worker dies, then the chief: the other ends by itself, once it notices.
    for dies in (1, 0):
        both = start_disturbed()
        both[dies].kill()
        both[dies].wait()
        assert both[1 - dies].wait(120) not in (0, TERMINATED)
    # The second worker alone is told to end: both do, after the same step.
    both = start_disturbed()
    both[1].send_signal(signal.SIGTERM)
    assert [process.wait(120) for process in both] == [TERMINATED] * 2

    bundles = {}
    for name in ("undisturbed", "disturbed"):
        for process in start_both(name):
            finish(process, tmp_path / f"{name}0")
        bundles[name] = load_bundle_model(tmp_path / f"{name}0").get_weights()
    for mine, theirs in zip(bundles["undisturbed"], bundles["disturbed"], strict=True):
        np.testing.assert_array_equal(mine, theirs)


def wait_for(condition, processes: list[subprocess.Popen]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        assert [process.poll() for process in processes] == [None] * len(processes)
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.xdist_group("parts")  # Any number of workers is compared with one.
@pytest.mark.parametrize("memory_bytes", [1 << 30, 0])
@pytest.mark.parametrize("count", [1, 3])
def test_the_workers_parts_make_up_the_global_batch(dataset, tmp_path, memory_bytes, count):
    """Each example is seen once, by the worker that has its shard, changed by its place."""
    context, folder = dataset
    manifest = DatasetManifest.read(folder)
    spec = BACKBONES["small_cnn"].input_spec(manifest.spec)
    prepare = prepare_inputs(spec, Augment(flip=True, zoom=0.2, brightness=0.1))
    seen: dict[tuple[int, int], bytes] = {}
    for index in range(count):
        worker = Worker(index, count)
        examples = open_examples(
            manifest,
            "train",
            context.data(),
            scratch=tmp_path,
            memory_bytes=memory_bytes,
            worker=worker,
        )
        assert len(examples) == 55
        if isinstance(examples, KeptExamples):
            own = manifest.splits["train"].shards[index::count]
            assert len(examples.labels) == sum(shard.examples for shard in own)
        else:
            assert [int(Path(path).name[6:11]) for path in examples.shards.names] == list(
                range(index, SHARDS, count)
            )
        batches = training_batches(examples, prepare, batch_size=16, seed=1, epochs=range(1, 3))
        for number, (inputs, labels, places) in enumerate(batches):
            assert len(inputs) == len(labels) == len(places)
            for picture, place in zip(inputs.numpy(), places.numpy(), strict=True):
                assert (number, place) not in seen
                seen[number, place] = picture.tobytes()
    sizes = [16, 16, 16, 7] * 2
    assert set(seen) == {(n, place) for n, size in enumerate(sizes) for place in range(size)}
    if memory_bytes or count > 1:
        expected = _SEEN.setdefault(memory_bytes, seen)
        assert seen == expected, "the same for any number of workers"


_SEEN: dict[int, dict[tuple[int, int], bytes]] = {}


@pytest.mark.slow
def test_a_step_compiles_with_xla_which_is_all_that_a_tpu_takes():
    """Whole batches and a smaller last one; without dropout, whose noise XLA draws otherwise.

    A step of pruning, which is a step of fine-tuning and the masks.
    """

    def train(*, jit_compile: bool) -> tuple[np.ndarray, list[np.ndarray]]:
        make_deterministic(0)
        spec = InputSpec(height=16, width=16, channels=1, offset=(127.5,), scale=(1 / 127.5,))
        config = CONFIG.model_copy(update={"dropout": 0.0})
        model = build_model(config, spec, classes=3, weights="none")
        schedule = tfmot.sparsity.keras.PolynomialDecay(0.0, 0.6, 0, 3, frequency=1)
        model = tfmot.sparsity.keras.prune_low_magnitude(model, schedule)
        updates = tfmot.sparsity.keras.UpdatePruningStep()
        updates.set_model(model)
        updates.on_train_begin()
        phase = Phase(
            name="fine_tune",
            epochs=2,
            first_epoch=1,
            optimizer=Optimizer(name="sgd", learning_rate=0.01, weight_decay=1e-3),
            batch_size=8,
            class_weights=(1.0, 2.0, 1.0),
            seed=0,
            label_smoothing=0.1,
        )
        trainer = Trainer(model, phase, steps_per_epoch=2)
        step = tf.function(trainer._update, jit_compile=jit_compile)
        random = np.random.default_rng(0)
        sums = [
            step(
                random.normal(size=(count, 16, 16, 1)).astype(np.float32),
                random.integers(0, 3, count),
                np.arange(count, dtype=np.int32),
            )
            for count in (8, 3, 8, 3)
        ]
        return np.stack(sums), read_variables(model.weights)

    (sums, weights), (xla_sums, xla_weights) = train(jit_compile=False), train(jit_compile=True)
    np.testing.assert_allclose(xla_sums, sums, rtol=1e-5)
    for mine, theirs in zip(weights, xla_weights, strict=True):
        np.testing.assert_allclose(theirs, mine, atol=1e-5, rtol=1e-5)


def test_more_workers_than_shards_are_refused(dataset, tmp_path):
    context, folder = dataset
    manifest = DatasetManifest.read(folder)
    with pytest.raises(UserError, match="train split has 4 shards for 5 workers"):
        open_examples(
            manifest, "train", context.data(), scratch=tmp_path, worker=Worker(index=4, count=5)
        )


def test_tf_config_says_which_worker_this_is():
    assert this_worker({}) == Worker(0, 1)
    addresses = ("a:1", "b:1", "c:1")
    assert this_worker({TF_CONFIG: tf_config(addresses, 2)}) == Worker(2, 3)
    assert [this_worker({TF_CONFIG: tf_config(addresses, i)}).is_chief for i in range(3)] == [
        True,
        False,
        False,
    ]
    for refused in ("{", "{}", tf_config(addresses, 3), '{"cluster": {"ps": []}}'):
        with pytest.raises(UserError, match="TF_CONFIG"):
            this_worker({TF_CONFIG: refused})


@pytest.mark.parametrize("count", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_what_workers_compute_and_keep_has_the_same_places_from_memory_and_streamed(
    dataset, tmp_path, count
):
    context, folder = dataset
    manifest = DatasetManifest.read(folder)
    places = []
    for index in range(count):
        kept, streamed = (
            keep_computed(
                open_examples(
                    manifest,
                    "train",
                    context.data(),
                    scratch=tmp_path,
                    memory_bytes=memory_bytes,
                    worker=Worker(index, count),
                ),
                lambda pictures, seed: tf.cast(pictures, tf.float32),
                lambda inputs: inputs.numpy(),
                batch_size=16,
            )
            for memory_bytes in (1 << 30, 0)
        )
        np.testing.assert_array_equal(kept.inputs, streamed.inputs)
        np.testing.assert_array_equal(kept.labels, streamed.labels)
        assert len(kept) == len(streamed) == 55
        own = np.arange(55) if count == 1 else streamed.own
        np.testing.assert_array_equal(own, np.arange(55) if count == 1 else kept.own)
        assert len(own) == len(streamed.labels)
        places.extend(own)
    assert sorted(places) == list(range(55))


def test_several_workers_with_tpus_are_refused():
    with pytest.raises(UserError, match="2 workers; on TPUs, training takes the slice of one host"):
        open_strategy("tpu", Worker(0, 2))


def test_devices_of_another_name_are_refused():
    with pytest.raises(UserError, match="expected auto, one, mirrored or tpu"):
        open_strategy("gpus", Worker(0, 1))


@pytest.mark.slow
def test_devices_that_are_not_there_are_refused(dataset, tmp_path):
    context, manifest = dataset
    output = tmp_path / "bundle"
    process = start(train(manifest, context, output), output, LITESMITH_DEVICES="tpu")
    assert process.wait() == 2
    assert "none can be started here" in output.with_suffix(".log").read_text()
