"""Pictures to measure with: photograph-like JPEGs, all different, made in seconds."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 500, 375


def make_photograph(seed: int) -> bytes:
    """Draws clouds of all sizes, some edges and sensor noise: a JPEG of 500x375, some 60 kB."""
    random = np.random.default_rng(seed)
    picture = np.zeros((HEIGHT, WIDTH, 3))
    for cells in (3, 8, 20, 50, 120):
        grid = random.normal(0, 60 / cells**0.4, (cells, cells, 3))
        layers = [
            np.asarray(
                Image.fromarray(grid[:, :, channel].astype(np.float32)).resize(
                    (WIDTH, HEIGHT), Image.Resampling.BICUBIC
                )
            )
            for channel in range(3)
        ]
        picture += np.stack(layers, axis=-1)
    for _ in range(12):
        top, left = random.integers(0, HEIGHT - 40), random.integers(0, WIDTH - 40)
        height, width = random.integers(20, 160, 2)
        picture[top : top + height, left : left + width] += random.normal(0, 35, 3)
    picture += random.normal(128, 4, picture.shape)
    buffer = io.BytesIO()
    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def write_photographs(
    folder: Path, count: int, *, distinct: int = 200, classes: int = 10, first_seed: int = 0
) -> None:
    """Writes `count` JPEGs into one sub-folder per class.

    They are `distinct` pictures again and again, each time with another comment segment and other
    shades: every file has a content and pixels of its own, and costs as much to decode as any.
    """
    pictures = [make_photograph(first_seed + seed) for seed in range(distinct)]
    for index in range(count):
        repeat, chosen = divmod(index, distinct)
        picture = _reshade(pictures[chosen], repeat)
        comment = f"{index:08d}".encode()
        segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
        path = folder / f"class{index % classes}" / f"{index:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture[:2] + segment + picture[2:])


def _reshade(picture: bytes, number: int) -> bytes:
    """Returns a JPEG with other pixels for each number in [0, 125), by coarser quantization."""
    table = picture.index(b"\xff\xdb") + 5  # Behind the marker, the length and the table's number.
    steps = bytearray(picture)
    for place in range(3):  # The mean of a block and its two slowest waves.
        number, more = divmod(number, 5)
        steps[table + place] += more
    return bytes(steps)
