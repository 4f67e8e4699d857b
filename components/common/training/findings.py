"""What a training's epochs give away: that it learned by heart, or that it went astray.

A classifier that takes all classes for equally likely has a loss of log(classes); always answering
the most frequent class has an accuracy of its share. A training should do better than either.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from components.common.documents.bundle import Epoch
from components.common.documents.dataset import DatasetManifest
from components.common.statistics.exact_tests import share_p_value
from components.common.words.figures import percent

_ALPHA = 0.05
_ASTRAY = 2.0
"""Times the loss of equally likely classes: more than by chance, and by a slow beginning."""


def find_training_faults(
    history: Sequence[Epoch],
    best_epoch: int,
    manifest: DatasetManifest,
    *,
    is_taught: bool = False,
) -> tuple[str, ...]:
    """Returns what is wrong with a training, in whole sentences; nothing for most.

    Args:
      history: the epochs of all phases.
      best_epoch: the number of the one whose weights are kept.
      manifest: what was trained on.
      is_taught: whether the losses have a teacher's part. What it comes to at chance nobody knows,
        so that only one that grew far above that of the first epoch is a fault.
    """
    kept = history[best_epoch - history[0].epoch]
    explosions = _find_explosions(history, manifest, is_taught=is_taught)
    return (*_find_memory(kept, manifest), *explosions)


def _find_memory(kept: Epoch, manifest: DatasetManifest) -> Iterator[str]:
    """Yields a message where a model knows what it was trained on and nothing else.

    It then has learned more than half of what there is to learn of the training split, and is
    not shown to be better on validation than always answering its most frequent class.
    """
    split = manifest.splits["validation"]
    chance = max(split.examples_per_class) / max(1, split.examples)
    right = round(kept.validation_accuracy * split.examples)
    halfway = (1 + chance) / 2
    if not 0 < chance < 1 or kept.accuracy <= halfway:
        return
    if share_p_value(right, split.examples, share=chance) >= _ALPHA:
        yield (
            f"In epoch {kept.epoch}, which is kept, {percent(kept.accuracy)} of the training "
            f"examples are right and {percent(kept.validation_accuracy)} of {split.examples} "
            f"validation examples, no better than the {percent(chance)} of always answering one "
            "class: the model has learned its examples by heart. Give more examples, start from "
            "pretrained weights, or let it learn less of each, by train.dropout or, where the "
            "task has it, train.augment; and see whether both splits show the same"
        )


def _find_explosions(
    history: Sequence[Epoch], manifest: DatasetManifest, *, is_taught: bool
) -> Iterator[str]:
    """Yields a message for each phase whose loss rose above all reason, or stayed there.

    While more and more weights become zero a loss rises in any case: of pruning, the epochs at the
    final sparsity are looked at.
    """
    classes = len(manifest.class_names)
    even = math.log(max(2, classes))
    compared = f"taking all {classes} classes for equally likely has"
    for _, group in groupby(history, key=lambda epoch: epoch.phase):
        *before, last = group
        epochs = [*(epoch for epoch in before if epoch.sparsity == last.sparsity), last]
        if is_taught:
            even, compared = epochs[0].loss, f"epoch {epochs[0].epoch} had"
        risen = [after for before, after in pairwise(epochs) if after.loss > before.loss]
        worst = max((*risen, epochs[-1]), key=lambda epoch: epoch.loss)
        if worst.loss > _ASTRAY * even:
            yield (
                f"The training loss of epoch {worst.epoch} is {worst.loss:.3g}, where "
                f"{compared} {even:.3g}: training went astray. "
                "Lower optimizer.learning_rate, or give it optimizer.warmup_epochs"
            )
