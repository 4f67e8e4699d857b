"""The proxy that the environment names for an address, as command lines know it."""

import dataclasses
import urllib.request
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit, urlunsplit

import urllib3


@dataclasses.dataclass(frozen=True)
class Proxy:
    """A proxy to ask instead of a host.

    Attributes:
      address: without name and password, so that it can be shown.
      headers: to send to it: name and password, where it has some.
    """

    address: str
    headers: Mapping[str, str]


def find_proxy(host: str, environment: Mapping[str, str]) -> Proxy | None:
    """Returns the proxy for a host; None where it is reached directly.

    Args:
      host: an address, such as https://kubeflow.example.com/pipeline.
      environment: holds https_proxy, http_proxy and no_proxy, or the same in capitals.
    """
    parts = urlsplit(host)
    stated = _look_up(environment, f"{parts.scheme}_proxy")
    bypass = {"no": _look_up(environment, "no_proxy")}
    # Not in typeshed, though documented by its use in urllib itself.
    is_exempt = urllib.request.proxy_bypass_environment  # type: ignore[attr-defined]
    if not stated or is_exempt(parts.netloc, bypass):
        return None
    proxy = urlsplit(stated if "://" in stated else f"http://{stated}")
    name, has_name, place = proxy.netloc.rpartition("@")
    headers = urllib3.make_headers(proxy_basic_auth=unquote(name)) if has_name else {}
    return Proxy(urlunsplit((proxy.scheme, place, "", "", "")), headers)


def _look_up(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name) or environment.get(name.upper()) or ""
