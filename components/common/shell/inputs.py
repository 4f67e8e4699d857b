"""What a stage reads: what it counts as in a key, and how it comes to lie on this machine."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from components.common.digests import canonical_json, file_digest, text_digest, tree_digest
from components.common.documents.dataset import DatasetManifest
from components.common.documents.record import StoredOutput
from components.common.shell.store import Store

Input = Path | Sequence[Path] | StoredOutput | None
"""An artifact's path, those of a collected input, an output that stays in the store, or None for
an artifact that is not there."""


def input_digest(path: Path | Sequence[Path] | StoredOutput) -> str:
    """Returns what an input counts as in a key: its bytes, of a data set its examples alone.

    So a picture that was renamed, or a reject more, leaves what was trained on the same examples
    as it is.
    """
    if isinstance(path, StoredOutput):
        return path.output_digest
    if not isinstance(path, Path):
        # A collected input is a set: its order depends on which iteration KFP lists first.
        return text_digest(canonical_json(sorted(input_digest(item) for item in path)))
    if not path.is_dir():
        return file_digest(path)
    if (path / DatasetManifest.file_name).is_file():
        return text_digest(canonical_json(DatasetManifest.read(path).identity()))
    return tree_digest(path)


@contextlib.contextmanager
def fetched(
    inputs: Mapping[str, Input], store: Store, scratch: Path | None
) -> Iterator[Mapping[str, Path | Sequence[Path] | None]]:
    """Yields the inputs as files; what stays in the store is fetched, and verified."""
    with contextlib.ExitStack() as stack:
        folder = scratch or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        paths: dict[str, Path | Sequence[Path] | None] = {}
        for name, given in inputs.items():
            if isinstance(given, StoredOutput):
                paths[name] = place = folder / given.output_digest
                if not place.is_dir():
                    store.fetch(given, place)
            else:
                paths[name] = given
        yield paths
