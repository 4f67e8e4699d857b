"""Memory of a model, measured in a process of its own."""

from pathlib import Path

import numpy as np
import pytest

from components.benchmark.memory import measure_peak_memory
from components.common.lite.litert import LiteRTError


@pytest.mark.slow
def test_a_bigger_model_takes_as_much_more_as_its_weights(
    candidates: dict[str, Path], tmp_path: Path
) -> None:
    from components.common.documents.image import InputSpec
    from components.common.keras import keras
    from components.quantize.conversion import convert_model

    image = keras.Input((16, 16, 1))
    features = keras.layers.Dense(8_192, activation="relu")(keras.layers.Flatten()(image))
    model = keras.Model(image, keras.layers.Dense(3, activation="softmax")(features))
    spec = InputSpec(height=16, width=16, channels=1, offset=(0.0,), scale=(1.0,))
    path = tmp_path / "big.tflite"
    path.write_bytes(convert_model(model, spec, "float32"))
    weights = 4 * model.count_params()
    growth = measure_peak_memory(path) - measure_peak_memory(candidates["float32"] / "model.tflite")
    # Once as XNNPACK packs them, and once more where the pages of the file stay resident.
    assert 0.9 * weights < growth < 2.5 * weights
    assert weights == pytest.approx(8.5e6, rel=0.01)


def test_a_model_that_cannot_be_loaded_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(np.zeros(100, np.uint8).tobytes())
    with pytest.raises(LiteRTError, match="could not be measured"):
        measure_peak_memory(tmp_path / "model.tflite")
