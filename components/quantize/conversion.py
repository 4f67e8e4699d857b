"""A Keras model to TFLite, by one scheme; every file takes what a device has, as it is.

The scheme tells a back end what it wants, and checks what comes of it.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from components.common.documents.bundle import ModelInput
from components.common.keras import keras, tf
from components.common.lite.litert import SIGNATURE
from components.common.lite.tflite import read_input
from components.common.tasks.export import export_of
from components.quantize.backends import BACKENDS
from components.quantize.calibration import Calibration
from components.quantize.schemes import SCHEMES
from components.quantize.schemes.scheme import ConversionError


def convert_model(
    model: keras.Model,
    spec: ModelInput,
    kind: str,
    examples: npt.NDArray[Any] | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
) -> bytes:
    """Converts a classifier.

    Args:
      model: takes prepared examples [n, ...], gives probabilities [n, classes].
      spec: what the model expects.
      kind: the quantization scheme's.
      examples: [n, ...], as a device has them, where the scheme calibrates.
      settings: those of the scheme's SchemeSpec; its defaults where there are none.

    Returns:
      The `.tflite` file.

    Raises:
      ConversionError: an operation cannot be converted or quantized, or the result does
        not keep the input contract.
      UserError: the settings do not fit the model.
    """
    scheme = SCHEMES[kind]
    own = scheme.settings_in(settings or {})
    export = export_of(spec)
    exported = export.export_module(model, spec)
    material = None
    if examples is not None:
        signature = exported.serve.input_signature
        material = Calibration(examples, signature, device_type=export.DEVICE_TYPE)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(exported, folder, signatures={SIGNATURE: exported.serve})
        data = BACKENDS[scheme.backend](Path(folder), lambda tool: scheme.tell(tool, own, material))
    scheme.check(data)
    if scheme.is_integer and (fault := export.explain_input(read_input(data))):
        raise ConversionError(fault)
    return data
