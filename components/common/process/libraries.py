"""The versions of Python and of the libraries that a task has imported.

They enter no key: a new version of a library undoes no work. They stand in the record of what was
made by them, so that whoever is answered from the store can be told.
"""

import contextlib
import importlib.metadata
import platform
import sys
from collections.abc import Mapping

DISTRIBUTIONS = {
    "ai-edge-litert": "ai_edge_litert",
    "apache-beam": "apache_beam",
    "cykooz-resizer": "cykooz_resizer",
    "google-crc32c": "google_crc32c",
    "jinja2": "jinja2",
    "kfp": "kfp",
    "litert-quantizer": "litert_quantizer",
    "litesmith": "components",
    "numpy": "numpy",
    "pillow": "PIL",
    "pyarrow": "pyarrow",
    "pydantic": "pydantic",
    "safetensors": "safetensors",
    "scikit-learn": "sklearn",
    "tensorflow": "tensorflow",
    "tensorflow-model-optimization": "tensorflow_model_optimization",
    "tensorflow-tpu": "tensorflow",
    "tf-keras": "tf_keras",
    "tokenizers": "tokenizers",
    "zstandard": "zstandard",
}
"""Distribution -> the module that it is imported as."""


def imported_libraries() -> dict[str, str]:
    """Returns the versions of Python and of the libraries that this process has imported."""
    imported = [name for name, module in DISTRIBUTIONS.items() if module in sys.modules]
    return _versions(["python", *imported])


def other_versions(made_by: Mapping[str, str]) -> dict[str, str]:
    """Returns the versions here of those libraries that are here in another version.

    Args:
      made_by: the versions that something was made by.
    """
    here = _versions(made_by)
    return {name: version for name, version in here.items() if version != made_by[name]}


def _versions(names: "list[str] | Mapping[str, str]") -> dict[str, str]:
    found = {}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            python = name == "python"
            found[name] = platform.python_version() if python else importlib.metadata.version(name)
    return found
