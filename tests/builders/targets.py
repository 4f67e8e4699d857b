"""Targets, as values and as files."""

from pathlib import Path
from typing import Any

from pipeline.recipe import Compression
from pipeline.target import KubeflowTarget

PRUNED = (Compression("pruned", ("prune",)),)
"""Of a recipe with a `prune` section."""

MINIMAL = """
kind: kubeflow
host: https://kfp.example.com
namespace: vision
images: {beam: b, train: t, lite: l}
data_root: gs://bucket/data
registry: gs://bucket/registry
"""


def make_target(folder: Path, host: str = "http://127.0.0.1:1", **changes: Any) -> KubeflowTarget:
    """Returns a target whose volume is a folder of this machine."""
    values = {
        "kind": "kubeflow",
        "host": host,
        "namespace": "vision",
        # Of a registry that refuses connections, as fast as a test wants.
        "images": {name: f"127.0.0.1:1/{name}:1" for name in ("beam", "train", "lite")},
        "data_root": f"{folder}/data",
        "registry": f"{folder}/registry",
        "volumes": ({"claim": "data", "path": str(folder)},),
        **changes,
    }
    return KubeflowTarget.model_validate({k: v for k, v in values.items() if v is not None})


def write_target(folder: Path, text: str) -> str:
    path = folder / "target.yaml"
    path.write_text(text)
    return str(path)
