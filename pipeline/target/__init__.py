"""Target: where a run is computed, from one YAML file per environment.

`machine` is what a task runs on, `target` what all kinds state, `kubeflow` and `vertex` the two
kinds, `loading` the way from a file.
"""

from pipeline.target.kubeflow import (
    CommandAuth,
    KubeflowTarget,
    PortForwardAuth,
    ServiceAccountAuth,
    TokenAuth,
    Volume,
)
from pipeline.target.loading import Target, load_target, target_schema
from pipeline.target.machine import Machine
from pipeline.target.vertex import VertexTarget

__all__ = [
    "CommandAuth",
    "KubeflowTarget",
    "Machine",
    "PortForwardAuth",
    "ServiceAccountAuth",
    "Target",
    "TokenAuth",
    "VertexTarget",
    "Volume",
    "load_target",
    "target_schema",
]
