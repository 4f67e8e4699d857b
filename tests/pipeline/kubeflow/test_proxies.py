"""Reaching KFP and Kubernetes through a proxy that the environment names."""

import base64
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from components.common.errors import UserError
from pipeline.kubeflow.connection import connect
from pipeline.kubeflow.pods import read_logs
from pipeline.kubeflow.proxies import Proxy, find_proxy
from tests.builders.targets import make_target
from tests.fakes.certificates import write_certificate
from tests.fakes.kfp_server import KfpServer
from tests.fakes.kubectl import give_kubectl
from tests.fakes.kubernetes_server import TOKEN, KubernetesServer
from tests.fakes.proxy_server import ProxyServer

INSIDE = "http://kubeflow.invalid"
"""A host that only the proxy knows."""


@pytest.fixture
def proxy(server: KfpServer) -> Iterator[ProxyServer]:
    with ProxyServer(port_of(server)).serving() as proxy:
        yield proxy


def port_of(server: KfpServer) -> int:
    port = urlsplit(server.host).port
    assert port is not None
    return port


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy"])
def test_a_host_behind_a_proxy_is_reached(
    tmp_path: Path, server: KfpServer, proxy: ProxyServer, variable: str
) -> None:
    with connect(make_target(tmp_path, INSIDE), {variable: proxy.address}) as api:
        assert api.server_version == server.version
    assert proxy.asked == ["GET kubeflow.invalid"]
    assert proxy.authorizations == [None]


def test_tls_goes_through_a_tunnel(tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path / "server.pem")
    with KfpServer().serving(certificate) as server:
        with ProxyServer(port_of(server)).serving() as proxy:
            target = make_target(tmp_path, server.host, ca_file=str(certificate))
            with connect(target, {"HTTPS_PROXY": proxy.address}) as api:
                assert api.server_version == server.version
            assert proxy.asked == [f"CONNECT {urlsplit(server.host).netloc}"]


def test_a_name_and_a_password_go_to_the_proxy_and_into_no_message(
    tmp_path: Path, proxy: ProxyServer
) -> None:
    stated = proxy.address.replace("http://", "http://ada:p%40ss@")
    with connect(make_target(tmp_path, INSIDE), {"HTTP_PROXY": stated}):
        pass
    said = proxy.authorizations[0] or ""
    assert base64.b64decode(said.removeprefix("Basic ")) == b"ada:p@ss"
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        dead = f"http://ada:p%40ss@127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(UserError, match=r"can't be reached through the proxy http://127") as no:
            with connect(make_target(tmp_path, INSIDE), {"HTTP_PROXY": dead}):
                pass
    assert "p@ss" not in str(no.value) and "p%40ss" not in str(no.value)
    assert "name the host in NO_PROXY" in str(no.value)


def test_an_exempt_host_and_a_forwarded_port_are_reached_directly(
    tmp_path: Path, server: KfpServer, proxy: ProxyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"HTTP_PROXY": proxy.address, "NO_PROXY": "internal,127.0.0.1"}
    with connect(make_target(tmp_path, server.host), environment) as api:
        assert api.server_version == server.version
    give_kubectl(
        tmp_path,
        monkeypatch,
        f"echo 'Forwarding from 127.0.0.1:{port_of(server)} -> 8888'; exec sleep 60",
    )
    forwarded = make_target(tmp_path, host=None, auth={"kind": "port_forward"})
    with connect(forwarded, {"HTTP_PROXY": proxy.address}):
        pass
    assert proxy.asked == []


@pytest.mark.parametrize(
    ("no_proxy", "exempt"),
    [
        ("", False),
        ("*", True),
        ("example.com", True),
        (".example.com", True),
        ("a.org, kfp.EXAMPLE.com:443", True),
        ("ample.com", False),
        ("kfp.example.com:80", False),
    ],
)
def test_no_proxy_names_hosts_and_domains(no_proxy: str, exempt: bool) -> None:
    environment = {"https_proxy": "proxy:3128", "HTTP_PROXY": "http://other", "no_proxy": no_proxy}
    found = find_proxy("https://kfp.example.com:443/pipeline", environment)
    assert found == (None if exempt else Proxy("http://proxy:3128", {}))


def test_kubernetes_is_reached_by_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with KubernetesServer().serving(tmp_path, monkeypatch) as server:
        server.run_pod("run-id", "finetune", "epoch 1")
        port = int(server.environment["KUBERNETES_SERVICE_PORT"])
        config = kubeconfig(tmp_path, f"https://127.0.0.1:{port}", server.files["CERT"])
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST")  # Not in a pod.
        with ProxyServer(port).serving() as proxy:
            environment = {"KUBECONFIG": str(config), "HTTPS_PROXY": proxy.address}
            (log,) = read_logs(make_target(tmp_path), "run-id", None, environment)
            assert log.text == "epoch 1\n"
            assert proxy.asked == [f"CONNECT 127.0.0.1:{port}"]
            list(read_logs(make_target(tmp_path), "run-id", None, environment | {"NO_PROXY": "*"}))
            assert len(proxy.asked) == 1


def kubeconfig(folder: Path, server: str, certificate: str) -> Path:
    path = folder / "kubeconfig"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [
            {"name": "c", "cluster": {"server": server, "certificate-authority": certificate}}
        ],
        "users": [{"name": "u", "user": {"token": TOKEN}}],
    }
    path.write_text(json.dumps(config))
    return path
