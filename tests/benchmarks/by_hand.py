"""What people write by hand to turn pictures into TFRecords: a process pool, and Beam.

They stand apart from the script so that workers import them; what is defined in a script
travels to Beam's workers by value, which is slow.
"""

import io
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from PIL import Image

from components.common.data.records import write_record
from components.common.process.machine import usable_cores
from components.common.tasks.image.features import Example, encode_example

SIZE, QUALITY = 224, 95


def resize(data: bytes) -> bytes:
    """Returns a picture's central square as a JPEG: what preprocess does with these files."""
    with Image.open(io.BytesIO(data)) as picture:
        picture.draft("RGB", (SIZE, SIZE))
        rgb = picture.convert("RGB")
    width, height = rgb.size
    margin_x, margin_y = (width - min(rgb.size)) / 2, (height - min(rgb.size)) / 2
    box = (margin_x, margin_y, width - margin_x, height - margin_y)
    small = rgb.resize((SIZE, SIZE), Image.Resampling.BILINEAR, box=box)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def read_label(path: str) -> int:
    return int(Path(path).parent.name.removeprefix("class"))


def run_pool(source: Path, target: Path) -> None:
    """Has a process pool write shards of some 500 pictures."""
    paths = sorted(source.rglob("*.jpg"))
    shards = max(8, len(paths) // 500)
    target.mkdir()
    work = [(paths[index::shards], target / f"{index:05d}.tfrecord") for index in range(shards)]
    with ProcessPoolExecutor(usable_cores()) as pool:
        assert sum(pool.map(_write_shard, work)) == len(paths)


def _write_shard(work: tuple[list[Path], Path]) -> int:
    paths, target = work
    with target.open("wb") as file:
        for path in paths:
            image = resize(path.read_bytes())
            example = Example(id=path.name, image=image, label=read_label(str(path)))
            write_record(file, encode_example(example))
    return len(paths)


def run_usual_beam(source: Path, target: Path) -> None:
    """Reads, maps and writes with Beam's own transforms and TensorFlow's Example."""
    import apache_beam as beam
    from apache_beam.io import fileio
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    options = PipelineOptions(
        flags=[],
        direct_num_workers=usable_cores(),
        direct_running_mode="multi_processing",
    )
    with beam.Pipeline(runner=FnApiRunner(), options=options) as pipeline:
        _ = (
            pipeline
            | fileio.MatchFiles(f"{source}/*/*.jpg")
            | fileio.ReadMatches()
            | beam.Map(_to_example)
            | beam.io.WriteToTFRecord(f"{target}/part", file_name_suffix=".tfrecord")
        )


def _to_example(file) -> bytes:  # type: ignore[no-untyped-def]
    import tensorflow as tf

    image = tf.train.BytesList(value=[resize(file.read())])
    label = tf.train.Int64List(value=[read_label(file.metadata.path)])
    features = {
        "image": tf.train.Feature(bytes_list=image),
        "label": tf.train.Feature(int64_list=label),
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
