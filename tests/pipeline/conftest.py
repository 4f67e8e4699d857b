"""What tests against a cluster share."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.testing

from pipeline.target import KubeflowTarget
from tests.builders.targets import make_target
from tests.fakes.kfp_server import KfpServer

# Typer would look at the signatures of all commands at every one that a test invokes.
typer.testing._get_command = functools.cache(typer.testing._get_command)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps the environment's proxies from being asked for servers of this machine."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[KfpServer]:
    with KfpServer().serving() as server:
        yield server


@pytest.fixture
def target(tmp_path: Path, server: KfpServer) -> KubeflowTarget:
    return make_target(tmp_path, server.host)


@pytest.fixture
def cluster(target: KubeflowTarget) -> Iterator[Any]:
    from pipeline.kubeflow.cluster import Cluster
    from pipeline.kubeflow.connection import connect

    with connect(target, {}) as api:
        yield Cluster(api, target)
