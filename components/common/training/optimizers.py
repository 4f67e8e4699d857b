"""Optimizers and their learning rates, as the recipe states them."""

import math
from collections.abc import Sequence
from typing import Any

from components.common.keras import keras, tf
from components.common.training.config import Optimizer


class WarmUpAndDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly from zero to the peak, then stays there or falls as a cosine to zero.

    The rate of step s (from 0) is peak * (s + 1) / warmup during the warm-up, and
    peak * (1 + cos(pi * (s - warmup) / (steps - warmup))) / 2 after it (I. Loshchilov,
    F. Hutter, SGDR, 2017, without restarts).
    """

    def __init__(self, peak: float, *, steps: int, warmup_steps: int, cosine: bool) -> None:
        self.peak = peak
        self.steps = steps
        self.warmup_steps = warmup_steps
        self.cosine = cosine

    def __call__(self, step: Any) -> Any:
        step = tf.cast(step, tf.float32)
        rate = tf.constant(self.peak, tf.float32)
        if self.cosine:
            length = max(1, self.steps - self.warmup_steps)
            share = tf.clip_by_value((step - self.warmup_steps) / length, 0.0, 1.0)
            rate = rate * 0.5 * (1.0 + tf.cos(math.pi * share))
        if self.warmup_steps:
            rate = rate * tf.minimum(1.0, (step + 1.0) / self.warmup_steps)
        return rate

    def get_config(self) -> dict[str, Any]:
        return {
            "peak": self.peak,
            "steps": self.steps,
            "warmup_steps": self.warmup_steps,
            "cosine": self.cosine,
        }


def build_optimizer(
    config: Optimizer,
    *,
    epochs: int,
    steps_per_epoch: int,
    shares: Sequence[float] = (),
) -> Any:
    """Returns a Keras optimizer for one phase of training.

    Args:
      config: as the recipe states it.
      epochs: of the phase.
      steps_per_epoch: in each of them.
      shares: of the learning rate, one for each variable that it is built for, in their order;
        empty where all have the whole of it. The weight decay of adamw is the same for all.
    """
    schedule = WarmUpAndDecay(
        config.learning_rate,
        steps=epochs * steps_per_epoch,
        warmup_steps=round(min(epochs, config.warmup_epochs) * steps_per_epoch),
        cosine=config.schedule == "cosine",
    )
    kind = _KINDS[config.name]
    options: dict[str, Any] = {"jit_compile": False}
    if config.name == "sgd":
        options["momentum"] = config.momentum
    if config.name == "adamw":
        options["weight_decay"] = config.weight_decay
    optimizer = (_sharing(kind, shares) if shares else kind)(schedule, **options)
    if config.name == "adamw":
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


_KINDS = {
    "sgd": keras.optimizers.SGD,
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
}


def _sharing(kind: Any, shares: Sequence[float]) -> Any:
    """Returns a kind of optimizer in which a variable takes its share of each step."""

    class Sharing(kind):
        def update_step(self, gradient: Any, variable: Any) -> None:
            before = tf.identity(variable)
            super().update_step(gradient, variable)
            share = shares[self._index_dict[self._var_key(variable)]]
            if share != 1:
                variable.assign(before + share * (variable - before))

    return Sharing


def l2_share(config: Optimizer) -> float:
    """Returns the weight decay that the loss must carry: adamw's is in its update."""
    return 0.0 if config.name == "adamw" else config.weight_decay
