"""Files that come within an installed package: weights, samples, vocabularies."""

import importlib.util
from pathlib import Path


def path_in_package(package: str, path: str) -> Path | None:
    """Returns a path within a package's folder; None where the package is not installed.

    It is found, not imported: that may take seconds.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / path
