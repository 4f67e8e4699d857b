"""What TFLite Metadata says of the picture that goes into a model."""

from collections.abc import Sequence
from pathlib import Path

import flatbuffers

from components.common.documents.bundle import Architecture
from components.common.documents.image import ImageSpec
from components.common.lite.litert import INPUT
from components.common.lite.metadata import InputCard
from components.common.lite.metadata_tables import (
    write_float,
    write_range,
    write_table,
    write_tables,
)
from components.common.tasks.image.normalization import AS_IT_IS, Normalization
from components.common.tasks.image.words import fit_in_words

EXAMPLES = "pictures"

# Enumerations and union members of metadata_schema.fbs.
_IMAGE_PROPERTIES = 2
_NORMALIZATION_OPTIONS = 1
_COLOR_SPACES = {3: 1, 1: 2}  # By channels: RGB, GRAYSCALE.


def trace_model(architecture: Architecture, image: ImageSpec) -> dict[str, str]:
    """Returns what a model's lineage says of its backbone, and of how pictures were fitted."""
    return {"backbone": architecture.backbone, "fit": image.fit, "background": image.background}


def describe_input(spec: ImageSpec, dataset: Path | None = None) -> InputCard:
    """Returns what the metadata tell of the input of a model of litesmith's."""
    # Pixels go in as they are: what the network expects is computed inside the model. The schema
    # has no field for how a picture is fitted.
    words = f"The picture, {fit_in_words(spec)} (fit: {spec.fit}); raw pixels in [0, 255]."
    return describe_picture_input(spec.shape, words)


def describe_picture_input(
    shape: Sequence[int], description: str, normalization: Normalization = AS_IT_IS
) -> InputCard:
    """Returns what the metadata tell of a single input that takes pictures.

    Args:
      shape: height, width, and channels, 1 or 3.
      description: a sentence.
      normalization: what the network wants of a pixel in [0, 255].
    """

    def write(builder: flatbuffers.Builder, names: Sequence[str]) -> list[int]:
        return [_write_tensor(builder, shape, description, normalization)]

    return InputCard(write_tensors=write)


def _write_tensor(
    builder: flatbuffers.Builder,
    shape: Sequence[int],
    description: str,
    normalization: Normalization,
) -> int:
    height, width, channels = shape
    mean, std = normalization.mean, normalization.std
    size = write_table(builder, 2, numbers={0: width, 1: height})
    image = write_table(builder, 2, offsets={1: size}, enums={0: _COLOR_SPACES[channels]})
    options = write_table(
        builder, 2, offsets={0: write_float(builder, mean), 1: write_float(builder, std)}
    )
    unit = write_table(builder, 2, offsets={1: options}, enums={0: _NORMALIZATION_OPTIONS})
    return write_table(
        builder,
        7,
        offsets={
            0: builder.CreateString(INPUT),
            1: builder.CreateString(description),
            3: write_table(builder, 3, offsets={1: image}, enums={0: _IMAGE_PROPERTIES}),
            4: write_tables(builder, [unit]),
            5: write_range(builder, low=(0.0 - mean) / std, high=(255.0 - mean) / std),
        },
    )
