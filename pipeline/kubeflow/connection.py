"""A connection to Kubeflow Pipelines: kfp's own client, with errors that say what to do.

Reads are repeated with growing waits where the server is busy or the line breaks; every
request has a timeout, which kfp's client lacks. A write whose answer was lost is never
repeated here: `Api.call` raises `UnansweredError`, and the caller looks first whether the
write was done.
"""

import contextlib
import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import kfp
import kfp_server_api
from kfp.client.set_volume_credentials import ServiceAccountTokenVolumeCredentials

from components.common.errors import UserError
from pipeline.kubeflow.credentials import CommandCredentials, find_certificates, read_token
from pipeline.kubeflow.explanations import MissingError, explained, message_of
from pipeline.kubeflow.port_forward import forward_port
from pipeline.kubeflow.proxies import Proxy, find_proxy
from pipeline.kubeflow.transport import PatientRest
from pipeline.target import (
    CommandAuth,
    KubeflowTarget,
    PortForwardAuth,
    ServiceAccountAuth,
    TokenAuth,
)

_PAGE_SIZE = 100
_MOST_PAGES = 1_000


class Api:
    """kfp's client and what was learned of its server."""

    def __init__(
        self,
        client: kfp.Client,
        target: KubeflowTarget,
        host: str,
        health: Mapping[str, Any],
        proxy: Proxy | None = None,
    ) -> None:
        self.client = client
        self.host = host
        self._proxy = proxy
        self._target = target
        self.server_version = _server_version(health)
        self.namespace = target.namespace if health.get("multi_user") else None
        """As the API takes it: None where the server knows no namespaces."""

    def call(self, operation: Callable[..., Any], /, *arguments: Any, **named: Any) -> Any:
        """Calls an operation of kfp's client.

        Raises:
          ConflictError: the server answered 409.
          MissingError: it answered 404.
          UnansweredError: it did not answer, or failed.
          UserError: it refused; says why and what to do.
        """
        with explained(self._target, self.host, self._proxy):
            return operation(*arguments, **named)

    def pages(self, operation: Callable[..., Any], items: str, /, **named: Any) -> Iterator[Any]:
        """Yields what a list operation returns, page after page."""
        named = {name: value for name, value in named.items() if value is not None}
        token = ""
        for _ in range(_MOST_PAGES):
            page = self.call(operation, page_token=token, page_size=_PAGE_SIZE, **named)
            yield from getattr(page, items) or ()
            token = page.next_page_token
            if not token:
                return
        raise UserError(
            f"{self.host}: lists more than {_MOST_PAGES * _PAGE_SIZE:,} {items}; archive or delete "
            "old ones in KFP, or check that this is the right host"
        )

    def named(self, operation: Callable[..., Any], items: str, name: str, **named: Any) -> Any:
        """Returns the oldest thing of a display name, or None."""
        predicate = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
        filter_ = json.dumps({"predicates": [predicate]})
        found = list(self.pages(operation, items, filter=filter_, **named))
        # To the second: of several of one second everybody takes the same one.
        return min(found, key=lambda item: (item.created_at, str(_id(item))), default=None)

    def ui_link(self, path: str) -> str:
        return f"{self._target.ui_host or self.host}/#/{path}"

    def warnings(self) -> Iterator[str]:
        """Yields what does not fit, though it may work."""
        yield from filter(None, (self.version_warning(), self._namespace_warning()))

    def _namespace_warning(self) -> str | None:
        """Says where runs will not live in the target's namespace."""
        auth, stated = self._target.auth, self._target.namespace
        home = auth.service_namespace if isinstance(auth, PortForwardAuth) else "kubeflow"
        if self.namespace is not None or stated == home:
            return None
        return (
            f"{self.host} is a single-user KFP, which runs everything in its own namespace, "
            f"mostly {home}, and not in {stated}: service account, volumes and secrets must be "
            "there, and logs are looked for in the target's"
        )

    def version_warning(self) -> str | None:
        """Says where the server and this SDK are of different versions."""
        ours = _minor(kfp.__version__)
        if self.server_version is None or _minor(self.server_version) == ours:
            return None
        return (
            f"{self.host} runs KFP {self.server_version}, this is the SDK {kfp.__version__}; "
            "a server that is older may pass over what it does not know, such as the security "
            "context"
        )


def _id(item: Any) -> Any:
    """Returns what tells runs of one name apart; other names are unique."""
    return getattr(item, "run_id", None)


@contextlib.contextmanager
def connect(target: KubeflowTarget, environment: Mapping[str, str] = os.environ) -> Iterator[Api]:
    """Connects to the target's KFP, and holds a port-forward open where it asks for one.

    Args:
      target: which KFP, and how to be let in.
      environment: where a token's variable is looked up, and a proxy to reach the host by.

    Raises:
      UserError: there is no connection; says why and what to do.
    """
    with contextlib.ExitStack() as stack:
        host = target.host
        if isinstance(target.auth, PortForwardAuth):
            host = stack.enter_context(forward_port(target.auth))
        assert host is not None  # The target's own check.
        host = host.rstrip("/")
        is_forwarded = isinstance(target.auth, PortForwardAuth)
        proxy = None if is_forwarded else find_proxy(host, environment)
        with explained(target, host, proxy):
            client, health = _open(target, host, environment, proxy)
        yield Api(client, target, host, health, proxy)


def _open(
    target: KubeflowTarget, host: str, environment: Mapping[str, str], proxy: Proxy | None
) -> tuple[kfp.Client, Mapping[str, Any]]:
    arguments: dict[str, Any] = {"host": host, "ui_host": target.ui_host or host}
    if isinstance(target.auth, TokenAuth):
        arguments["existing_token"] = read_token(target.auth, environment)
    elif isinstance(target.auth, CommandAuth):
        arguments["credentials"] = CommandCredentials(target.auth)
    elif isinstance(target.auth, ServiceAccountAuth):
        arguments["credentials"] = ServiceAccountTokenVolumeCredentials(target.auth.file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # Of servers before 2.0.
        # A namespace other than `kubeflow` keeps the constructor from asking the server,
        # which it would do five times over half a minute. Calls state their own.
        client = kfp.Client(namespace="unused", ssl_ca_cert=find_certificates(target), **arguments)
    api_client = client._run_api.api_client
    if proxy is not None:
        api_client.configuration.proxy = proxy.address
        api_client.configuration.proxy_headers = proxy.headers
    api_client.rest_client = PatientRest(api_client.configuration)
    try:
        health = api_client.call_api(
            "/apis/v2beta1/healthz",
            "GET",
            response_type="object",
            auth_settings=["Bearer"],
            _return_http_data_only=True,
        )
    except kfp_server_api.ApiException as error:
        if error.status != 404:
            raise
        raise MissingError(
            f"{host}: has no such thing (404: {message_of(error)}); where the address is right, "
            "the server may be older than KFP 2.0"
        ) from error
    if not isinstance(health, dict):
        raise UserError(
            f"{host}: answers, but not as Kubeflow Pipelines does; give the address before "
            "`/apis/v2beta1` as the target's host, such as https://HOST/pipeline, and a token "
            "where it asks for a login"
        )
    return client, health


def _server_version(health: Mapping[str, Any]) -> str | None:
    tag = str(health.get("tag_name") or "")
    return tag if tag[:1].isdigit() else None


def _minor(version: str) -> tuple[str, ...]:
    return tuple(version.split(".")[:2])
