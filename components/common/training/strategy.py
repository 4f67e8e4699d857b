"""What a training runs on: one device, several of a machine, several machines, a TPU.

A step is given one global batch, whatever it runs on. Each worker has those examples of
the batch that lie in its own shards; they are split over the worker's replicas, losses are
divided by the global batch's size, and gradients are summed. What is random is drawn for
the whole batch and taken by an example's place in it.

Every replica holds the same values of all variables. They are read and written here
replica by replica: TensorFlow would let all workers take part in reading some of them, and
a worker that reads alone would wait for ever.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.errors import UserError
from components.common.keras import keras, tf
from components.common.workers.worker import DEVICES, Worker

_HOST = "CPU:0"
_BATCHES_AHEAD = 2


def open_strategy(devices: str, worker: Worker) -> Any:
    """Returns the tf.distribute strategy of this process; called before anything is computed.

    Args:
      devices: `one`, `mirrored` (all local GPUs, or all logical CPUs), `tpu`, or `auto`:
        what is found.
      worker: several workers train together, whatever each of them has.

    Raises:
      UserError: there is no such device, or several workers have TPUs.
    """
    on_tpu = devices == "tpu" or (devices == "auto" and tf.config.list_physical_devices("TPU"))
    if worker.count > 1:
        if on_tpu:
            raise UserError(
                f"{DEVICES}: tpu, but there are {worker.count} workers; on TPUs, training takes "
                "the slice of one host"
            )
        return tf.distribute.MultiWorkerMirroredStrategy()
    if on_tpu:
        return _open_tpu()
    gpus = tf.config.list_physical_devices("GPU")
    if devices == "mirrored" or (devices == "auto" and len(gpus) > 1):
        kind = "GPU" if gpus else "CPU"
        names = [device.name for device in tf.config.list_logical_devices(kind)]
        # A plain sum on one device, and NCCL on GPUs, rather than the default's collectives.
        # On three logical CPUs, with 1 and with 12 synchronized BatchNorm layers, both went
        # well; NCCL has not been tried.
        reduction = tf.distribute.NcclAllReduce if gpus else tf.distribute.ReductionToOneDevice
        return tf.distribute.MirroredStrategy(names, cross_device_ops=reduction())
    if devices not in ("auto", "one"):
        raise UserError(f"{DEVICES}: {devices!r}; expected auto, one, mirrored or tpu")
    return tf.distribute.get_strategy()


def _open_tpu() -> Any:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu="local")
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, tf.errors.OpError) as error:
        raise UserError(
            f"{DEVICES}: tpu, but none can be started here ({error}); ask for a TPU slice of "
            "one host in the target, and for the TPU image"
        ) from error
    return tf.distribute.TPUStrategy(resolver)


def fetch_ahead(batches: Any) -> Any:
    """Copies a tf.data.Dataset's elements to the one device while it computes on those before."""
    device = tf.negative(0.0).device  # Where operations go.
    if device.endswith(_HOST):
        return batches
    return batches.apply(tf.data.experimental.prefetch_to_device(device, _BATCHES_AHEAD))


def one_ahead(batches: Iterator[Any]) -> Iterator[Any]:
    """Yields each batch when the next one is made, so that its copy is under way by then."""
    current = next(batches, None)
    while current is not None:
        following = next(batches, None)
        yield current
        current = following


class Replicas:
    """The replicas of the strategy in whose scope this is made."""

    def __init__(self) -> None:
        self.strategy = tf.distribute.get_strategy()
        resolver = self.strategy.cluster_resolver
        spec = resolver.cluster_spec().as_dict() if resolver is not None else {}
        self.workers = max(1, len(spec.get("worker", ())))
        self.is_chief = resolver is None or not resolver.task_id
        self.count = self.strategy.num_replicas_in_sync
        self.local = self.count // self.workers
        devices = self.strategy.extended.worker_devices if tf.distribute.has_strategy() else [""]
        # A TPU takes its input from the host.
        self._devices = [_HOST if "TPU" in device else device for device in devices]

    def compile(
        self, function: Callable[..., Any], signature: Sequence[Any]
    ) -> Callable[..., Sequence[Any]]:
        """Compiles a function of batches to run on every replica.

        Args:
          function: of tensors [b, ...], all with the same b; without Python's `if` and `for`
            on what is in them.
          signature: the tensors' TensorSpecs.

        Returns:
          A function of what `split` made of the worker's part of a batch, that returns each
          local replica's result.
        """

        # AutoGraph would write the source of all layers and of the optimizer anew, which takes
        # seconds of every training, and finds no loop nor condition on a tensor.
        @tf.autograph.experimental.do_not_convert
        def run(*batch: Any) -> Any:
            return self.strategy.run(function, args=batch)

        if self.local == 1:
            compiled = tf.function(run, input_signature=signature)
            return lambda *batch: (compiled(*batch),)
        # The parts of several replicas come as one PerReplica value, which TensorSpecs don't
        # describe.
        compiled = tf.function(run, reduce_retracing=True)
        local_results: Callable[..., Sequence[Any]] = self.strategy.experimental_local_results
        return lambda *batch: local_results(compiled(*batch))

    def split(self, batch: Sequence[Any]) -> list[Any]:
        """Splits tensors as evenly as can be over the local replicas, onto their devices."""
        count = len(batch[0])
        bounds = [count * index // self.local for index in range(self.local + 1)]

        def split(tensor: Any) -> Any:
            with tf.device(_HOST):  # Else the first device would get all parts.
                parts = [tensor[start:end] for start, end in itertools.pairwise(bounds)]
            for index, device in enumerate(self._devices):
                with tf.device(device):
                    parts[index] = tf.identity(parts[index])
            if self.local == 1:
                return parts[0]
            return self.strategy.experimental_distribute_values_from_function(
                lambda context: parts[context.replica_id_in_sync_group % self.local]
            )

        return [split(tensor) for tensor in batch]

    def sum_over_workers(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Adds up what each worker has; all must call it."""
        if self.workers == 1:
            return values
        # The strategy adds up what all replicas have, and a worker may have several: its first one
        # brings the worker's values, the others zeros.
        zeros = np.zeros_like(values)
        shares = self.strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(
                values if context.replica_id_in_sync_group % self.local == 0 else zeros
            )
        )
        return np.asarray(self.strategy.reduce(tf.distribute.ReduceOp.SUM, shares, axis=None))


def read_variables(variables: Sequence[Any]) -> list[npt.NDArray[Any]]:
    """Returns the values that this process has of variables."""
    return [_copies(variable)[0].numpy() for variable in variables]


def write_variables(variables: Sequence[Any], values: Sequence[npt.NDArray[Any]]) -> None:
    for variable, value in zip(variables, values, strict=True):
        for copy in _copies(variable):
            copy.assign(value)


def _copies(variable: Any) -> Sequence[Any]:
    # By the variable's own strategy: it may be read when its scope was left.
    strategy = getattr(variable, "distribute_strategy", tf.distribute.get_strategy())
    copies: Sequence[Any] = strategy.experimental_local_results(variable)
    return copies


class SynchronizedNorms:
    """Lets BatchNorm layers that are trained see the whole batch, not a replica's part."""

    def __init__(self, model: Any, replicas: Replicas) -> None:
        self._layers = [
            layer
            for layer in model.layers
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
        ]
        self._changes = replicas.count > 1

    def __enter__(self) -> None:
        self._fused = [layer.fused for layer in self._layers]
        for layer in self._layers if self._changes else ():
            # The fused kernel knows only the moments of its own replica.
            layer.synchronized, layer.fused = True, False

    def __exit__(self, *error: object) -> None:
        for layer, fused in zip(self._layers, self._fused, strict=True):
            layer.synchronized, layer.fused = False, fused
