"""Optimizers and their learning rates, as the recipe states them."""

import math
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


def build_optimizer(config: Optimizer, *, epochs: int, steps_per_epoch: int) -> Any:
    """Returns a Keras optimizer for one phase of training."""
    schedule = WarmUpAndDecay(
        config.learning_rate,
        steps=epochs * steps_per_epoch,
        warmup_steps=round(min(epochs, config.warmup_epochs) * steps_per_epoch),
        cosine=config.schedule == "cosine",
    )
    if config.name == "sgd":
        return keras.optimizers.SGD(schedule, momentum=config.momentum, jit_compile=False)
    if config.name == "adam":
        return keras.optimizers.Adam(schedule, jit_compile=False)
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=config.weight_decay, jit_compile=False
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def l2_share(config: Optimizer) -> float:
    """Returns the weight decay that the loss must carry: adamw's is in its update."""
    return 0.0 if config.name == "adamw" else config.weight_decay
