"""Small folders of pictures, and the stage run on them."""

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from components.common.documents.dataset import DatasetManifest
from components.common.documents.record import TaskResult
from components.common.run_context import RunContext
from components.preprocess import known, stage
from components.preprocess.config import PreprocessConfig
from tests.builders.synthetic import draw_picture, run_context

CLASSES = ("bar", "cross", "disc")


def encode(picture: np.ndarray | Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """Encodes a picture: uint8 [height, width] or [height, width, 3]."""
    buffer = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def shape_png(label: int, seed: int, *, size: int = 16) -> bytes:
    return encode(draw_picture(label, seed, size=size).squeeze())


def write_folder(folder: Path, *, per_class: int = 8, size: int = 16) -> Path:
    """Writes drawn shapes, one sub-folder per class."""
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for index in range(per_class):
            (folder / name / f"{index:03d}.png").write_bytes(shape_png(label, index, size=size))
    return folder


def preprocess(work: Path, output: str = "dataset", **values: object) -> DatasetManifest:
    """Runs the stage with a data root below `work` and returns the manifest it wrote."""
    run_stage(run_context(work), work / output, **values)
    return DatasetManifest.read(work / output)


def run_stage(context: RunContext, output: Path, **values: object) -> None:
    config = PreprocessConfig.model_validate(
        {"image_size": 8, "channels": 1, "encoding": "png", **values}
    )
    stage.declare_stage().run(config=config.to_json(), context=context.to_json(), dataset=output)


def last_result(work: Path) -> TaskResult:
    """Returns what the stage said of its last run."""
    path = work / "data" / "runs" / "test" / "tasks" / "preprocess.json"
    return TaskResult.parse(path.read_bytes())


def rejects(dataset: Path) -> list[tuple[str, str]]:
    """Returns path and reason of every line of rejects.jsonl."""
    lines = (dataset / "rejects.jsonl").read_text().splitlines()
    return [(line["path"], line["reason"]) for line in map(json.loads, lines)]


def files(folder: Path) -> dict[str, bytes]:
    """Returns the files below a folder by their relative paths."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def forge_digests(path: Path) -> None:
    """Makes a file of what is known tell of other contents, with the right digest at its end."""
    lines = path.read_bytes().splitlines(keepends=True)[:-1]
    remembering = known.Remembering(path)
    with remembering:
        for line in lines:
            told = known.Known.of_line(line)
            look = known.Look("f" * 64, told.look.size_bytes, told.look.head)
            remembering.add(known.Known.of(told.path, told.stamp, look))
