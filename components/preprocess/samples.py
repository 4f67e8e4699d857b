"""Data sets that come with an installed package, written out as folders of pictures.

What a sample is known by is the package's own file, so that an answer from the store
needs neither the package nor its pictures.
"""

import importlib.util
import io
import tempfile
from pathlib import Path

from components.common.digests import file_digest
from components.common.errors import UserError
from components.common.storage import Storage
from components.preprocess.config import Sample


def identify_sample(sample: Sample) -> str:
    """Returns the digest of the file that holds a sample.

    Raises:
      UserError: the package that brings it is not installed.
    """
    return file_digest(_digits_file())


def write_sample(sample: Sample, storage: Storage) -> str:
    """Writes a sample's pictures below the data root.

    Returns:
      The name of their folder, with one sub-folder per class. It holds nothing else, and
      writing again changes nothing.
    """
    name = f"samples/{sample}-{identify_sample(sample)[:16]}"
    with tempfile.TemporaryDirectory(prefix="litesmith-sample-") as folder:
        for path, picture in _digits():
            target = Path(folder, path)
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(picture)
        storage.upload(Path(folder), name)
    return name


def _digits_file() -> Path:
    # Found, not imported: that would take a second.
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        raise UserError(
            "data.sample: digits needs scikit-learn; install requirements/local.lock or beam.lock, "
            "as docs/install.md says"
        )
    return Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"


def _digits() -> list[tuple[str, bytes]]:
    """Returns 1,797 handwritten digits, 8x8 in 17 shades of grey, as PNG files by name."""
    import numpy as np
    from PIL import Image

    rows = np.loadtxt(_digits_file(), delimiter=",")
    intensities = np.round(rows[:, :-1] * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8)
    pictures = []
    for index, (label, picture) in enumerate(
        zip(rows[:, -1].astype(int), intensities, strict=True)
    ):
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "PNG")
        pictures.append((f"{label}/{index:04d}.png", buffer.getvalue()))
    return pictures
