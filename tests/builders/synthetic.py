"""Small data made by functions: a learnable data set of drawn shapes, without preprocess."""

import dataclasses
import functools
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from components.common.data.membership import Membership
from components.common.data.records import write_record
from components.common.documents.base import Lineage
from components.common.documents.dataset import SPLITS, DatasetManifest, Shard, Split, SplitExamples
from components.common.documents.image import ImageSpec, PixelStatistics
from components.common.documents.near_copies import NO_NEAR_COPIES
from components.common.documents.oddities import NO_ODDITIES
from components.common.documents.paths import write_paths
from components.common.documents.profile import NO_PROFILE
from components.common.run_context import RunContext
from components.common.storage import LocalStorage
from components.common.tasks.image.features import Example, encode_example
from components.common.tasks.image.sketches import sketch_picture
from components.common.tasks.image.statistics import count_intensities
from components.common.tasks.image.traits import read_traits
from components.preprocess.traits import count_traits

CLASS_NAMES = ("bar", "cross", "disc")
LINEAGE = Lineage(stage="synthetic", key="0" * 64, inputs={})


def run_context(folder: Path, *, run_id: str = "test") -> RunContext:
    return RunContext(
        run_id=run_id,
        recipe_name="synthetic",
        data_root=str(folder / "data"),
        registry=str(folder / "registry"),
    )


_TINTS = np.array([[1, 0.35, 0.35], [0.35, 1, 0.35], [0.35, 0.35, 1]])


def draw_picture(
    label: int, seed: int, *, size: int = 16, channels: int = 1, low: int = 0, high: int = 255
) -> np.ndarray:
    """Draws a shape with noise: uint8 [size, size, channels], intensities in [low, high]."""
    random = np.random.default_rng(seed * 7 + label)
    y, x = np.mgrid[:size, :size] - size / 2 + 0.5
    x, y = x - random.integers(-2, 3), y - random.integers(-2, 3)
    shape = (
        np.abs(x) < size / 8,
        (np.abs(x) < size / 10) | (np.abs(y) < size / 10),
        x**2 + y**2 < (size / 3.5) ** 2,
    )[label]
    noisy = shape * 0.7 + random.uniform(0, 0.3, shape.shape)
    gray = (low + noisy * (high - low)).clip(low, high).astype(np.uint8)
    return np.repeat(gray[:, :, None], channels, axis=2)


def tint(picture: np.ndarray, label: int, seed: int) -> np.ndarray:
    """Lays a class's own colour, more or less bright, over a picture of three channels."""
    light = 255 * np.random.default_rng(seed).uniform(0.6, 1)
    return (0.3 * picture + 0.7 * light * _TINTS[label]).astype(np.uint8)


def encode_png(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture.squeeze()).save(buffer, "PNG")
    return buffer.getvalue()


@dataclasses.dataclass(frozen=True)
class _Drawn:
    picture: np.ndarray
    png: bytes
    sketch: list[int]


@functools.lru_cache(maxsize=4096)  # Many tests write the same data set.
def _draw(
    label: int, seed: int, size: int, channels: int, low: int, high: int, tinted: bool
) -> _Drawn:
    picture = draw_picture(label, seed, size=size, channels=channels, low=low, high=high)
    if tinted:
        picture = tint(picture, label, seed)
    image = Image.fromarray(picture.squeeze())
    intensities = count_intensities(image)
    sketch = sketch_picture(image, intensities, (size, size), kind="PNG", mode=image.mode)
    return _Drawn(picture, encode_png(picture), list(sketch))


def write_records(path: Path, records: Iterable[bytes]) -> int:
    """Writes a whole TFRecord file and returns the number of records."""
    count = 0
    with path.open("wb") as file:
        for record in records:
            write_record(file, record)
            count += 1
    return count


def write_dataset(
    context: RunContext,
    output: Path,
    *,
    examples: dict[Split, int] | None = None,
    size: int = 16,
    channels: int = 1,
    shards: int = 2,
    low: int = 0,
    high: int = 255,
    tinted: bool = False,
) -> DatasetManifest:
    """Writes shards under the data root and the manifest into `output`; labels rotate."""
    examples = examples or {"train": 96, "validation": 48, "test": 60}
    storage = LocalStorage(context.data_root)
    splits, sums, sketches = {}, [], []
    for number, split in enumerate(SPLITS):
        members = []
        for index in range(examples[split]):
            label, seed = index % len(CLASS_NAMES), number * 100_000 + index
            drawn = _draw(label, seed, size, channels, low, high, tinted)
            sums.append(drawn.picture.reshape(-1, channels).astype(float))
            sketches.append(drawn.sketch)
            slice_ = "even" if index % 2 == 0 else "odd"
            members.append(Example(f"{split}{index:06d}", drawn.png, label, slice_))
        entries = []
        for shard in range(shards):
            own = members[shard::shards]
            name = f"shards/synthetic/{split}-{shard:05d}-of-{shards:05d}.tfrecord"
            path = Path(storage.root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_records(path, (encode_example(example) for example in own))
            size_bytes, crc32c = storage.checksum(name)
            entries.append(
                Shard(path=name, examples=len(own), size_bytes=size_bytes, crc32c=crc32c)
            )
        counts = [sum(m.label == label for m in members) for label in range(len(CLASS_NAMES))]
        splits[split] = SplitExamples(
            examples=len(members), shards=tuple(entries), examples_per_class=tuple(counts)
        )
    pixels = np.concatenate(sums)
    histogram, _ = np.histogram(pixels, bins=32, range=(0, 256))
    numbers = np.repeat(np.arange(len(SPLITS)), [examples[split] for split in SPLITS])
    manifest = DatasetManifest(
        class_names=CLASS_NAMES,
        spec=ImageSpec(
            height=size,
            width=size,
            channels=channels,
            encoding="png",
            fit="crop",
            background="#ffffff",
        ),
        compression="none",
        splits=splits,
        source_fingerprint="synthetic",
        statistics=PixelStatistics(
            mean=tuple(pixels.mean(0)),
            std=tuple(pixels.std(0)),
            histogram=tuple(histogram / histogram.sum()),
        ),
        traits=count_traits("image", read_traits(np.array(sketches, np.uint8)), numbers),
        rejects={},
        records=sum(examples.values()),
        slices=("even", "odd"),
        lineage=LINEAGE,
    )
    manifest.write(output)
    (output / "rejects.jsonl").write_text("")
    (output / "notes.jsonl").write_text("")
    NO_NEAR_COPIES.write(output)
    NO_ODDITIES.write(output)
    NO_PROFILE.write(output)
    write_paths(
        output,
        [
            [(f"{split}{index:06d}", f"{split}/{index}.png") for index in range(examples[split])]
            for split in ("train", "validation")
        ],
    )
    Membership.of(
        (f"{split}{index:06d}", "", split) for split in SPLITS for index in range(examples[split])
    ).write(output)
    return manifest
