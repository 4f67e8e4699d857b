"""The dearest remedy: a model trained on for a little, while it rounds as its int8 file will.

It learns from the labels and from what it said itself before it rounded. The ranges of its
activations are those that training examples have before the training begins; converting it takes
them anew. The bundle is left as it is: this model goes into one file.

However great the data set, the training has at most STEPS steps, and no more examples than these
see once or a bounded memory holds. Its state is kept, so that a task that was killed goes on.
"""

import functools
from typing import Any

import numpy as np

from components.common.documents.bundle import ModelBundle
from components.common.documents.dataset import DatasetManifest, Split
from components.common.models.bundles import load_bundle_model
from components.common.shell.stage import Task
from components.common.tasks.calibration import choose_examples
from components.common.tasks.inputs import room_for
from components.common.tasks.reading import device_input, read_examples
from components.common.training.clock import Clock
from components.common.training.config import Distillation, Optimizer
from components.common.training.emulation import emulate_int8, kept_in_int8, measure_ranges
from components.common.training.examples import KeptExamples, in_host_memory
from components.common.training.loop import make_deterministic, run_phase
from components.common.training.phases import Phase
from components.common.training.sampling import sample_inputs
from components.common.training.session import Session, open_session
from components.quantize.agreement import EXAMPLES
from components.quantize.config import CandidateConfig

STEPS = 300

_BATCH = 32
_OPTIMIZER = Optimizer(learning_rate=1e-4)
_MEMORY_BYTES = 512 << 20
"""Of decoded examples: a conversion may run where little more than the model has room."""
_RANGED = 960
"""Examples from which activations get their ranges."""


def open_retraining(
    task: Task[CandidateConfig],
    manifest: DatasetManifest,
    bundle: ModelBundle,
    *,
    steps: int = STEPS,
) -> Session:
    """Returns what a bundle's model trains on with.

    Args:
      task: whose model it is; told of the progress.
      manifest: the data set.
      bundle: the model's document.
      steps: the most that it will train.

    Raises:
      UserError: the model has a layer whose rounding can't be emulated.
    """
    load = functools.partial(load_bundle_model, task.inputs["bundle"])
    kept_in_int8(load())  # Refuses before anything is read.
    task.events.warn(
        f"{task.config.candidate_id}: no cheaper remedy is enough, so its model is trained on for "
        f"int8, for {steps} steps at most; quantize.remedies without qat spares that"
    )
    splits = (
        _keep(task, manifest, "train", count=steps * _BATCH),
        _keep(task, manifest, "validation", count=EXAMPLES),
    )
    return open_session(task, manifest, bundle.input, splits, part="retraining", load_parent=load)


def retrain_for_int8(session: Session, *, steps: int = STEPS) -> Any:
    """Returns the session's parent after a short training that rounds.

    Args:
      session: see `open_retraining`.
      steps: the most that it trains; whole epochs, where these are shorter.

    Raises:
      Terminated: the process was told to end; the state is kept.
      UserError: training diverged.
    """
    make_deterministic(0)
    distillation = Distillation()
    model, teacher = session.teacher(distillation), session.teacher(distillation)
    emulation = emulate_int8(model, measure_ranges(model, sample_inputs(session, _RANGED)))
    per_epoch = session.steps_per_epoch(_BATCH)
    phase = Phase(
        name="qat",
        epochs=max(1, steps // per_epoch),
        first_epoch=1,
        optimizer=_OPTIMIZER,
        batch_size=_BATCH,
        class_weights=(1.0,) * len(session.manifest.class_names),
        seed=0,
        distillation=distillation,
        teacher=teacher,
    )
    clock = Clock(
        session.events,
        total_steps=per_epoch * phase.epochs,
        board=session.board,
        note="training on for int8",
    )
    run_phase(emulation.model, phase, session.data(None), clock, attempt=session.attempt)
    emulation.write_back()
    return model


def _keep(
    task: Task[CandidateConfig], manifest: DatasetManifest, split: Split, *, count: int
) -> KeptExamples:
    """Reads at most so many examples, of each class as many as can be, and bounded in memory."""
    count = min(count, _MEMORY_BYTES // room_for(1, manifest.spec).nbytes)
    chosen = choose_examples(
        read_examples(manifest, split, task.context.data()),
        manifest.splits[split].examples_per_class,
        count,
    )
    see, inputs = device_input(manifest), room_for(len(chosen), manifest.spec)
    for place, example in enumerate(chosen):
        inputs[place] = see(example)
    return KeptExamples(
        inputs=in_host_memory(inputs),
        labels=in_host_memory(np.array([example.label for example in chosen], np.int64)),
    )
