"""LoRA: a few kernels learn by a product of two narrow ones, all else in the encoder stays.

    y = x kernel + bias + (alpha / rank) x down up

`up` begins at zero, so that the model begins as it was (E. Hu et al., LoRA, 2021, section 4.1).
What was learned is merged into the kernels afterwards: what ships has neither more layers nor more
work.
"""

from collections.abc import Sequence
from typing import Any

from components.common.documents.bundle import HEAD
from components.common.keras import keras, tf
from components.common.tasks.text.config import Lora


class LowRankDense(keras.layers.Layer):
    """A dense layer that stays, and the product that learns beside it."""

    def __init__(self, units: int, rank: int, alpha: float, seed: int, **options: Any) -> None:
        super().__init__(**options)
        self.units, self.rank, self.alpha, self.seed = units, rank, alpha, seed

    def build(self, shape: Any) -> None:
        inputs, begin = shape[-1], keras.initializers.HeUniform(self.seed)
        self.kernel = self.add_weight(name="kernel", shape=(inputs, self.units), trainable=False)
        self.bias = self.add_weight(name="bias", shape=(self.units,), trainable=False)
        self.down = self.add_weight(name="down", shape=(inputs, self.rank), initializer=begin)
        self.up = self.add_weight(name="up", shape=(self.rank, self.units), initializer="zeros")
        super().build(shape)

    def call(self, values: Any) -> Any:
        learned = tf.tensordot(tf.tensordot(values, self.down, 1), self.up, 1)
        return tf.tensordot(values, self.kernel, 1) + self.bias + self.scale * learned

    @property
    def scale(self) -> float:
        return self.alpha / self.rank

    def merged(self) -> Any:
        """Returns the kernel of a dense layer that does the same: [inputs, units]."""
        return self.kernel + self.scale * tf.matmul(self.down, self.up)

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("units", "rank", "alpha", "seed")}
        return {**super().get_config(), **own}


def adapt(model: Any, lora: Lora, *, seed: int) -> Any:
    """Returns a text classifier that learns by adapters, and its head.

    Args:
      model: as `build_classifier` makes it. All of its layers that are not adapted are taken
        over, the head too; all but the head are frozen.
      lora: which layers learn, and how.
      seed: of what the adapters begin with.
    """
    names = adapted_layers(model, lora)

    def clone(layer: Any) -> Any:
        if layer.name not in names:
            return layer
        # Each begins with other numbers.
        own = seed + names.index(layer.name)
        return LowRankDense(
            layer.units, lora.rank, lora.alpha, own, name=layer.name, dtype=layer.dtype_policy
        )

    adapted = keras.models.clone_model(model, clone_function=clone)
    for layer in adapted.layers:
        layer.trainable = layer.name in names or layer.name == HEAD
    for name in names:
        ours, theirs = adapted.get_layer(name), model.get_layer(name)
        ours.kernel.assign(theirs.kernel)
        ours.bias.assign(theirs.bias)
    return adapted


def merge(adapted: Any, model: Any) -> None:
    """Puts what adapters have learned into the model that `adapt` was given.

    All of that model has then been fitted, by way of its adapters, so that none of its layers is
    left frozen for what comes after.
    """
    for layer in model.layers:
        layer.trainable = True
    for layer in adapted.layers:
        if isinstance(layer, LowRankDense):
            model.get_layer(layer.name).kernel.assign(layer.merged())


def adapted_layers(model: Any, lora: Lora) -> Sequence[str]:
    """Returns the names of the layers that get an adapter, from the input up."""
    endings = tuple(f"_{projection}" for projection in lora.projections)
    return [
        layer.name
        for layer in model.layers
        if type(layer) is keras.layers.Dense and layer.name.endswith(endings)
    ]
