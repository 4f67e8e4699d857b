"""Where a backbone's weights come from: what enters the key for them, and a local file."""

import tempfile
from pathlib import Path

from components.common.digests import file_digest
from components.common.errors import UserError
from components.common.storage import open_storage
from components.common.tasks.image.weights import packaged_weights
from components.finetune.config import FinetuneConfig


def identify_weights(config: FinetuneConfig) -> str:
    """Returns what enters the key: the content of the weights, never where they lie.

    Raises:
      UserError: the weights are not there.
    """
    with tempfile.TemporaryDirectory() as scratch:
        path = local_weights(config, Path(scratch))
        if path is not None:
            return file_digest(path)
    # What tf_keras downloads is one file for each backbone, whose digest it knows.
    return "tf-keras" if config.weights == "imagenet" else "none"


def local_weights(config: FinetuneConfig, scratch: Path) -> Path | None:
    """Returns a local file with the weights.

    Args:
      config: names the weights.
      scratch: a folder for a file that is not on this machine's file system.

    Returns:
      None where there are no weights, or tf_keras downloads them itself.

    Raises:
      UserError: the file, or the package that holds it, is not there.
    """
    if config.weights == "none":
        return None
    if config.weights == "imagenet":
        return packaged_weights(config.backbone)
    folder, _, name = config.weights.rpartition("/")
    storage = open_storage(folder)
    if not storage.exists(name):
        raise UserError(
            f"train.weights: {config.weights} does not exist; give imagenet, none, or a weights "
            "file"
        )
    path = storage.local_path(name)
    if path is None:
        path = scratch / name
        storage.download(name, path)
    return path
