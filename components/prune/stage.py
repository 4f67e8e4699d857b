"""The shell of prune: from a dense model bundle to a sparse one."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from components.common.documents.bundle import ModelBundle
from components.common.documents.dataset import DatasetManifest
from components.common.shell.stage import Stage, Task
from components.prune.config import PruneConfig


def _compute(task: Task[PruneConfig]) -> Mapping[str, float]:
    from components.common.models.bundles import load_bundle_model, save_predictions, save_weights
    from components.common.training.checkpoints import Checkpoints
    from components.common.training.examples import open_training_splits
    from components.common.training.findings import find_training_faults
    from components.common.training.loop import make_deterministic
    from components.common.training.resumption import Attempt
    from components.common.training.strategy import open_strategy, read_variables, write_variables
    from components.common.training.tensorboard import open_board
    from components.prune.pruning import prune_model

    config = task.config
    manifest = DatasetManifest.read(task.inputs["dataset"])
    dense = ModelBundle.read(task.inputs["dense"])
    strategy = open_strategy(task.devices, task.worker)
    make_deterministic(config.seed)
    with tempfile.TemporaryDirectory() as folder:
        storage, scratch = task.context.data(), Path(folder)
        with strategy.scope():
            train, validation = open_training_splits(
                manifest, storage, scratch=scratch, worker=task.worker
            )
            pruned = prune_model(
                load_bundle_model(task.inputs["dense"]),
                config,
                dense.input,
                manifest,
                train=train,
                validation=validation,
                events=task.events,
                attempt=Attempt(Checkpoints(storage, task.checkpoint_folder)),
                board=open_board(task, storage),
            )
        if not task.worker.is_chief:
            return pruned.clock.measurements()
        model = pruned.model
        if strategy.num_replicas_in_sync > 1:
            model = load_bundle_model(task.inputs["dense"])
            write_variables(model.weights, read_variables(pruned.model.weights))
        save_predictions(model, task.output, manifest, storage, spec=dense.input, scratch=scratch)
    save_weights(model, task.output)
    faults = find_training_faults(pruned.history, pruned.best_epoch, manifest)
    for fault in faults:
        task.events.warn(f"training: {fault}")
    dense.model_copy(
        update={
            "history": pruned.history,
            "best_epoch": pruned.best_epoch,
            "faults": faults,
            "sparsity": pruned.sparsity,
            "target_sparsity": config.final_sparsity,
            "lineage": task.lineage,
        }
    ).write(task.output)
    return pruned.clock.measurements()


STAGE = Stage(name="prune", config=PruneConfig, output="pruned", compute=_compute, resumes=True)
