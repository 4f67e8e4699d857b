"""What tests against a cluster share."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.target.target import KubeflowTarget
from tests.fakes.kfp_server import KfpServer


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps the environment's proxies from being asked for servers of this machine."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[KfpServer]:
    with KfpServer().serving() as server:
        yield server


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


@pytest.fixture
def target(tmp_path: Path, server: KfpServer) -> KubeflowTarget:
    return make_target(tmp_path, server.host)


@pytest.fixture
def cluster(target: KubeflowTarget) -> Iterator[Any]:
    from pipeline.kubeflow.cluster import Cluster
    from pipeline.kubeflow.connection import connect

    with connect(target, {}) as api:
        yield Cluster(api, target)
