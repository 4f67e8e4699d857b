"""What a back end is fed to find the ranges of activations."""

import numpy as np

from components.common.keras import tf
from components.quantize.calibration import Calibration


def test_the_converter_gets_raw_pixels_one_picture_at_a_time() -> None:
    pictures = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    signature = [tf.TensorSpec((1, 2, 2, 3), tf.float32, name="image")]
    fed = [item["image"] for item in Calibration(pictures, signature, tf.uint8).tensors()]
    assert [item.shape for item in fed] == [(1, 2, 2, 3)] * 2
    assert fed[0].dtype == np.float32
    np.testing.assert_array_equal(np.concatenate(fed), pictures)


def test_several_tensors_take_the_rows_of_an_example_in_the_order_of_their_names() -> None:
    texts = np.arange(12, dtype=np.int32).reshape(2, 2, 3)
    signature = [tf.TensorSpec((1, 3), tf.int32, name=name) for name in ("mask", "ids")]
    first, second = Calibration(texts, signature, tf.int32).tensors()
    assert first["ids"].tolist() == [[0, 1, 2]] and first["mask"].tolist() == [[3, 4, 5]]
    assert second["mask"].dtype == np.int32 and second["mask"].tolist() == [[9, 10, 11]]
