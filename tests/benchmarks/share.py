"""What `quantize.file_steps: [share]` saves of EfficientNet-Lite0, and that it changes no answer.

The network has its ImageNet weights and a new head of 9 classes, at 96 pixels, and is converted as
quantize does. Sizes are of the whole file, metadata and labels included; zipped is deflate at its
highest level. The seconds are those of the step alone.

    python -m tests.benchmarks.share
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from components.common.documents.image import ImageSpec
from components.common.keras import keras
from components.common.lite.file_steps.share import share_equal_parts
from components.common.lite.litert import Classifier
from components.common.lite.metadata import ModelCard, attach_metadata
from components.common.lite.packing import deflated_bytes
from components.common.tasks.image.calibration import span_range
from components.common.tasks.image.metadata import describe_input
from components.common.tasks.image.models.backbones import BACKBONES
from components.common.tasks.image.preparation.pictures import PictureSpec, prepare_picture
from components.common.tasks.image.tuning import local_weights
from components.finetune.config import FinetuneConfig
from components.finetune.fine_tuning import build_model
from components.quantize.conversion import convert_model
from tests.benchmarks.photographs import make_photograph

CLASSES = 9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--weights", default="imagenet", help="imagenet or none")
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--pictures", type=int, default=120, help="to calibrate on and to compare")
    parser.add_argument("--schemes", default="int8,dynamic_range,float32")
    arguments = parser.parse_args()
    image = ImageSpec(
        height=arguments.size,
        width=arguments.size,
        channels=3,
        encoding="png",
        fit="crop",
        background="#ffffff",
    )
    pictures = draw_pictures(image, arguments.pictures)
    model = build(arguments.backbone, arguments.weights, image)
    for scheme in arguments.schemes.split(","):
        print(measure(model, arguments.backbone, scheme, image, pictures), flush=True)


def draw_pictures(image: ImageSpec, count: int) -> Any:
    """Returns photograph-like pictures, uint8 [count, height, width, 3]."""
    spec = PictureSpec(image.width, 3, image.fit, image.background, "png", 95, 10**6)
    drawn = [prepare_picture(make_photograph(seed), spec).image for seed in range(count)]
    return span_range(np.stack([np.asarray(picture) for picture in drawn]))


def build(backbone: Any, weights: str, image: ImageSpec) -> keras.Model:
    keras.utils.set_random_seed(0)
    config = FinetuneConfig(backbone=backbone, weights=weights, epochs=1)
    spec = BACKBONES[config.backbone].input_spec(image)
    with tempfile.TemporaryDirectory() as folder:
        path = local_weights(config, Path(folder))
        return build_model(config, spec, CLASSES, weights=str(path or weights))


def measure(model: keras.Model, backbone: Any, scheme: str, image: ImageSpec, pictures: Any) -> str:
    spec = BACKBONES[backbone].input_spec(image)
    card = ModelCard(
        name=backbone,
        description="To measure with.",
        class_names=[f"class {number}" for number in range(CLASSES)],
        inputs=describe_input(image),
        lineage={},
    )
    bare = convert_model(model, spec, scheme, pictures if scheme == "int8" else None)
    before = attach_metadata(bare, card)
    started = time.perf_counter()
    after = share_equal_parts(before)
    seconds = time.perf_counter() - started
    same = sum(map(np.array_equal, predict(before, pictures), predict(after, pictures)))
    figures = [
        f"{name} {old:,} -> {new:,} bytes ({100 * (new / old - 1):+.2f} %)"
        for name, old, new in (
            ("raw", len(before), len(after)),
            ("zipped", deflated_bytes(before), deflated_bytes(after)),
        )
    ]
    answers = f"{same} of {len(pictures)} answers the same to the bit"
    return f"{scheme}: {'; '.join([*figures, answers, f'{seconds:.2f} s'])}"


def predict(data: bytes, pictures: Any) -> list[Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.tflite")
        path.write_bytes(data)
        classifier = Classifier(path)
        return [classifier.classify(picture) for picture in pictures]


if __name__ == "__main__":
    main()
