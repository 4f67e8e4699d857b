"""Trains on two devices what tests train on one, and prints what came of it as JSON.

Run in a process of its own, for devices are there before TensorFlow starts, and in one for all,
because that takes longer to start than to train.
"""

import json

from components.common.keras import tf

device = tf.config.LogicalDeviceConfiguration()
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [device, device]
)

# Importing these may start TensorFlow.
from components.common.training.loop import make_deterministic  # noqa: E402
from components.common.training.strategy import open_strategy  # noqa: E402
from components.common.workers.worker import Worker  # noqa: E402
from tests.components.common.training import (  # noqa: E402
    test_distillation,
    test_frozen_part,
    test_norms,
)

found = {}
for module in (test_distillation, test_frozen_part, test_norms):
    make_deterministic(0)
    with open_strategy("mirrored", Worker(0, 1)).scope():
        found[module.__name__.rpartition(".")[2]] = module.train_mirrored()
print(json.dumps(found))
