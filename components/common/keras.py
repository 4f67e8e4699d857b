"""TensorFlow and tf_keras, imported so that they agree.

tensorflow-model-optimization works on tf_keras alone, and `tf.keras` must mean the same:
import `tf` and `keras` from here, never on their own.
"""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf  # noqa: E402
import tf_keras as keras  # noqa: E402

__all__ = ["keras", "tf"]
