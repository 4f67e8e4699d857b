"""Channels: filters that are truly gone, and with them rows and columns of the kernels around.

What is cut are groups of channels that a single layer reads (`components/compress/channels/`), so
that no sum and no other layer's output changes its shape. The reader is refitted on training
pictures; then the narrower model goes on training, from its parent's answers too. BatchNorm stays
frozen, as in fine-tuning.

Every group loses the same share. Scores say which channels of a group matter least; what an error
in one group's output costs beside one in another's, they do not say.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from components.common.documents.bundle import StepFacts
from components.common.documents.dataset import TaskName
from components.common.errors import UserError
from components.common.training.config import Distillation, Optimizer
from components.compress.steps.learning import Learned, Learning, learn
from components.compress.steps.step import Compressed

if TYPE_CHECKING:
    from components.common.training.session import Session
    from components.compress.channels.groups import Group


def _compile(patterns: tuple[str, ...]) -> tuple[str, ...]:
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    return patterns


class Settings(Learning):
    """A recipe's step `channels`: convolutions with fewer filters."""

    OF_TASK: ClassVar[TaskName] = "image"

    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Of each group's channels, which is removed at most: widths stay multiples of 8."""
    layers: Annotated[tuple[str, ...], AfterValidator(_compile)] = ()
    """Regular expressions of the convolutions whose filters are cut; without any, all whose
    channels a single layer reads."""
    examples: Annotated[int, Field(ge=16, le=10_000)] = 192
    """Training examples on which channels are ranked, and what reads them is refitted."""
    epochs: Annotated[int, Field(ge=0)] = 4
    """Of training after the cut; 0 for none."""
    optimizer: Optimizer = Optimizer(learning_rate=3e-4)
    distillation: Distillation | None = Distillation()
    """Learning from the parent's logits as well; null for the labels alone."""


def apply(model: Any, settings: Settings, session: "Session") -> Compressed:
    """Cuts a classifier's channels.

    Raises:
      Terminated: the process was told to end; the state is kept.
      UserError: a pattern of layers names no group, or no group is left to cut.
    """
    import numpy as np

    from components.common.training.sampling import sample_inputs
    from components.compress.channels.refitting import (
        columns_kernel,
        refit_consumer,
        survey,
    )
    from components.compress.channels.selection import channel_scores, highest, kept_count
    from components.compress.channels.surgery import cut_channels

    groups = choose_groups(model, settings)
    batches = sample_inputs(session, settings.examples)
    pictures = np.concatenate([batch.numpy() for batch in batches])
    seen = survey(model, groups, pictures)
    kept = {}
    for group, variances in zip(groups, seen.variances, strict=True):
        kernel = columns_kernel(model.get_layer(group.consumer))
        scores = channel_scores(variances, kernel, channels=group.channels)
        kept[group.producer] = highest(scores, kept_count(group.channels, settings.share))
    narrow = cut_channels(model, groups, kept)
    pairs = list(zip(groups, seen.targets, strict=True))
    for group, target in session.events.track(pairs, "layers refitted"):
        refit_consumer(narrow, group, target, pictures, kept)
    learned = _recover(narrow, settings, session)
    return Compressed(
        model=narrow,
        history=learned.history,
        best_epoch=learned.best_epoch,
        facts=StepFacts(
            kind="channels",
            activity="cutting channels",
            title=f"cut {100 * settings.share:g} % of channels",
        ),
        measurements=learned.measurements,
        filters={producer: len(numbers) for producer, numbers in kept.items()},
    )


def choose_groups(model: Any, settings: Settings) -> "Sequence[Group]":
    """Returns the groups that lose channels, from the input up.

    Raises:
      UserError: a pattern of layers names no group, or no group is left to cut.
    """
    from components.compress.channels.groups import find_groups
    from components.compress.channels.selection import MULTIPLE, kept_count

    found = find_groups(model)
    producers = ", ".join(group.producer for group in found)
    for pattern in settings.layers:
        if not any(re.search(pattern, group.producer) for group in found):
            raise UserError(
                f"channels.layers: {pattern} matches no convolution that can be cut; these can: "
                f"{producers}"
            )
    chosen = [
        group
        for group in found
        if not settings.layers
        or any(re.search(pattern, group.producer) for pattern in settings.layers)
    ]
    cut = [group for group in chosen if kept_count(group.channels, settings.share) < group.channels]
    if not cut:
        raise UserError(
            f"channels: none of {len(chosen)} groups of channels is so wide that a share of "
            f"{settings.share:g} could go, {MULTIPLE} at a time; state a higher channels.share, or "
            "remove the step"
        )
    return cut


def _recover(model: Any, settings: Settings, session: "Session") -> Learned:
    from components.common.keras import keras

    norms = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    for layer in norms:
        layer.trainable = False
    learned = learn(model, settings, session, kind="channels")
    for layer in norms:  # What a step freezes, the next one may train.
        layer.trainable = True
    return learned
