"""Whether a container image exists, asked of its registry.

The registry's HTTP API (OCI distribution specification): a HEAD of the manifest; where the
registry asks for a token first, one is fetched with the credentials of Docker's
configuration, or anonymously.
"""

import base64
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

_TIMEOUT_S = 10
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)
Existence = Literal["exists", "missing", "unknown"]


def image_exists(image: str, *, plain_http: bool = False) -> tuple[Existence, str]:
    """Asks the registry for an image's manifest.

    Args:
      image: `registry/name:tag` or `registry/name@sha256:...`; Docker Hub's short names too.
      plain_http: speak to the registry without TLS.

    Returns:
      What the registry says, and in words why it could not be told.
    """
    registry, name, reference = parse_image(image)
    url = f"{'http' if plain_http else 'https'}://{registry}/v2/{name}/manifests/{reference}"
    try:
        try:
            _head(url, {})
        except urllib.error.HTTPError as error:
            challenge = error.headers.get("WWW-Authenticate", "")
            if error.code != 401 or not challenge:
                raise
            _head(url, _authorization(challenge, registry))
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return "missing", f"{registry} has no {name}:{reference}"
        said = f"{registry} answered {error.code}"
        if error.code not in (401, 403):
            return "unknown", said
        return "unknown", (
            f"{said}; only a login that Docker's configuration keeps in plain was tried, no "
            "credential helper: the cluster may be let in all the same"
        )
    except OSError as error:
        return "unknown", f"{registry} could not be reached from here ({error})"
    return "exists", ""


def parse_image(image: str) -> tuple[str, str, str]:
    """Splits an image's name into registry, repository and tag or digest."""
    first, slash, rest = image.partition("/")
    if slash and re.search(r"[.:]|^localhost$", first):
        registry, path = first, rest
    else:
        registry, path = "registry-1.docker.io", image if slash else f"library/{image}"
    name, at, digest = path.partition("@")
    if at:
        return registry, name.split(":")[0], digest
    name, _, tag = path.partition(":")
    return registry, name, tag or "latest"


def _head(url: str, headers: Mapping[str, str]) -> None:
    request = urllib.request.Request(url, method="HEAD", headers={"Accept": _MANIFESTS, **headers})
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S):
        pass


def _authorization(challenge: str, registry: str) -> Mapping[str, str]:
    """Answers a registry's challenge: a bearer token, or the credentials themselves."""
    basic = _credentials(registry)
    kind, _, parameters = challenge.partition(" ")
    if kind.lower() != "bearer":
        return basic
    values = dict(re.findall(r'(\w+)="([^"]*)"', parameters))
    query = urllib.parse.urlencode(
        {key: values[key] for key in ("service", "scope") if key in values}
    )
    request = urllib.request.Request(f"{values['realm']}?{query}", headers=dict(basic))
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:
        answer = json.load(response)
    return {"Authorization": f"Bearer {answer.get('token') or answer['access_token']}"}


def _credentials(registry: str) -> Mapping[str, str]:
    """Returns the header of a login that Docker's configuration keeps in plain."""
    folder = os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker"
    try:
        known = json.loads(Path(folder, "config.json").read_text())["auths"]
        encoded = known[registry]["auth"]
        base64.b64decode(encoded, validate=True)
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {"Authorization": f"Basic {encoded}"}
