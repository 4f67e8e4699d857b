"""A connection to Kubeflow Pipelines: kfp's own client, with errors that say what to do.

Reads are repeated with growing waits where the server is busy or the line breaks; every
request has a timeout, which kfp's client lacks. A write whose answer was lost is never
repeated here: `Api.call` raises `UnansweredError`, and the caller looks first whether the
write was done.
"""

import contextlib
import json
import os
import subprocess
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import kfp
import kfp_server_api
import urllib3
from kfp.client.set_volume_credentials import ServiceAccountTokenVolumeCredentials
from kfp.client.token_credentials_base import TokenCredentialsBase
from kfp_server_api.rest import RESTClientObject

from components.common.errors import UserError
from pipeline.kubeflow.proxies import Proxy, find_proxy
from pipeline.target.target import (
    CommandAuth,
    KubeflowTarget,
    PortForwardAuth,
    ServiceAccountAuth,
    TokenAuth,
)

CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 10, 60
_FORWARD_TIMEOUT_S = 30
_TOKEN_USE_S = 600
BACKOFF_S = 0.2
"""Before a read is repeated; twice as long each time."""
_READ_ATTEMPTS = 4
_BUSY = (429, 502, 503, 504)
_PAGE_SIZE = 100
_MOST_PAGES = 1_000
_ANSWER_BYTES = 64 << 20  # A page of a hundred runs has a megabyte.
_ANSWER_TIMEOUT_S = 300.0  # For all of it, however slowly it comes.


class ConflictError(Exception):
    """What was to be created is there already."""


class MissingError(UserError):
    """What was asked for is not there."""


class UnansweredError(UserError):
    """No usable answer came: what was asked may have been done or not."""


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
        with _explained(self._target, self.host, self._proxy):
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
            host = stack.enter_context(_port_forward(target.auth))
        assert host is not None  # The target's own check.
        host = host.rstrip("/")
        is_forwarded = isinstance(target.auth, PortForwardAuth)
        proxy = None if is_forwarded else find_proxy(host, environment)
        with _explained(target, host, proxy):
            client, health = _open(target, host, environment, proxy)
        yield Api(client, target, host, health, proxy)


def _open(
    target: KubeflowTarget, host: str, environment: Mapping[str, str], proxy: Proxy | None
) -> tuple[kfp.Client, Mapping[str, Any]]:
    arguments: dict[str, Any] = {"host": host, "ui_host": target.ui_host or host}
    if isinstance(target.auth, TokenAuth):
        arguments["existing_token"] = _token(target.auth, environment)
    elif isinstance(target.auth, CommandAuth):
        arguments["credentials"] = _CommandCredentials(target.auth)
    elif isinstance(target.auth, ServiceAccountAuth):
        arguments["credentials"] = ServiceAccountTokenVolumeCredentials(target.auth.file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # Of servers before 2.0.
        # A namespace other than `kubeflow` keeps the constructor from asking the server,
        # which it would do five times over half a minute. Calls state their own.
        client = kfp.Client(namespace="unused", ssl_ca_cert=_ca_file(target), **arguments)
    api_client = client._run_api.api_client
    if proxy is not None:
        api_client.configuration.proxy = proxy.address
        api_client.configuration.proxy_headers = proxy.headers
    api_client.rest_client = _PatientRest(api_client.configuration)
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
            f"{host}: has no such thing (404: {_message(error)}); where the address is right, "
            "the server may be older than KFP 2.0"
        ) from error
    if not isinstance(health, dict):
        raise UserError(
            f"{host}: answers, but not as Kubeflow Pipelines does; give the address before "
            "`/apis/v2beta1` as the target's host, such as https://HOST/pipeline, and a token "
            "where it asks for a login"
        )
    return client, health


class _PatientRest(RESTClientObject):  # type: ignore[misc]
    """The generated client's HTTP layer with timeouts and repeated reads."""

    def __init__(self, configuration: kfp_server_api.Configuration) -> None:
        configuration.retries = urllib3.Retry(
            total=_READ_ATTEMPTS,
            retry_after_max=int(READ_TIMEOUT_S),
            backoff_factor=BACKOFF_S,
            backoff_jitter=BACKOFF_S / 2,
            status_forcelist=_BUSY,
            allowed_methods={"GET"},
            raise_on_status=False,
        )
        super().__init__(configuration)
        self.pool_manager: Any = _BoundedPool(self.pool_manager)

    def request(self, *arguments: Any, _request_timeout: Any = None, **named: Any) -> Any:
        timeout = _request_timeout or (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
        return super().request(*arguments, _request_timeout=timeout, **named)


class _BoundedPool:
    """A pool of connections whose answers are read whole, within bounds of size and time."""

    def __init__(self, pool: urllib3.PoolManager) -> None:
        self._pool = pool
        pool.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def request(self, method: str, url: str, **named: Any) -> urllib3.HTTPResponse:
        attempts = _READ_ATTEMPTS if method == "GET" else 1
        while True:
            attempts -= 1
            response = self._pool.request(method, url, **{**named, "preload_content": False})
            try:
                body = _read_bounded(response)
            except urllib3.exceptions.HTTPError:
                response.close()
                if not attempts:
                    raise
                time.sleep(BACKOFF_S)
                continue
            return urllib3.HTTPResponse(
                body, response.headers, response.status, reason=response.reason
            )


def _read_bounded(response: urllib3.BaseHTTPResponse) -> bytes:
    """Returns an answer's body.

    Raises:
      UserError: it is too long, or takes too long.
    """
    body, deadline = bytearray(), time.monotonic() + _ANSWER_TIMEOUT_S
    while chunk := response.read1(1 << 16):
        body += chunk
        if len(body) > _ANSWER_BYTES or time.monotonic() > deadline:
            response.close()
            raise UserError(
                f"{response.url}: sent more than {_ANSWER_BYTES >> 20} MB, or for longer than "
                f"{_ANSWER_TIMEOUT_S:.0f} s, in one answer; is the target's host a KFP?"
            )
    response.release_conn()
    return bytes(body)


def _undrained(response: urllib3.HTTPResponse) -> urllib3.HTTPResponse:
    """Returns an answer that is dropped, not read to its end, where it is asked for again."""
    response.drain_conn = response.close  # type: ignore[method-assign]
    return response


class _HTTPConnection(urllib3.connection.HTTPConnection):
    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        return _undrained(super().getresponse())


class _HTTPSConnection(urllib3.connection.HTTPSConnection):
    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        return _undrained(super().getresponse())


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class _CommandCredentials(TokenCredentialsBase):  # type: ignore[misc]
    """Tokens printed by a command, which live an hour or so: each is used for ten minutes."""

    def __init__(self, auth: CommandAuth) -> None:
        self._command = auth.command
        self._token = ""
        self._expires = 0.0

    def refresh_api_key_hook(self, config: kfp_server_api.Configuration) -> None:
        """Puts a token into the client's configuration; called before every request."""
        if time.monotonic() >= self._expires:
            self._token = self._print_token()
            self._expires = time.monotonic() + _TOKEN_USE_S
        config.api_key["authorization"] = self._token

    def _print_token(self) -> str:
        shown = " ".join(self._command)
        try:
            done = subprocess.run(
                self._command, capture_output=True, text=True, timeout=60, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UserError(f"auth.command: {shown} did not run ({error})") from error
        if done.returncode or not done.stdout.strip():
            said = done.stderr.strip() or "it printed nothing"
            raise UserError(f"auth.command: {shown} gave no token: {said}")
        return done.stdout.strip()


def _token(auth: TokenAuth, environment: Mapping[str, str]) -> str:
    token = environment.get(auth.variable, "").strip()
    if not token:
        raise UserError(
            f"{auth.variable}: is not set, and the target takes the token for KFP from it; for "
            f"one, export {auth.variable}=$(kubectl create token SERVICE_ACCOUNT "
            "--audience=pipelines.kubeflow.org)"
        )
    return token


def _ca_file(target: KubeflowTarget) -> str | None:
    """Returns the target's certificates, once they are seen to be some."""
    if target.ca_file is None:
        return None
    try:
        with open(target.ca_file, encoding="ascii") as file:
            own = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"ca_file: {target.ca_file} can't be read as PEM ({error})") from error
    if "BEGIN CERTIFICATE" not in own:
        raise UserError(f"ca_file: {target.ca_file} holds no certificate in PEM form")
    return target.ca_file


def _server_version(health: Mapping[str, Any]) -> str | None:
    tag = str(health.get("tag_name") or "")
    return tag if tag[:1].isdigit() else None


def _minor(version: str) -> tuple[str, ...]:
    return tuple(version.split(".")[:2])


@contextlib.contextmanager
def _explained(target: KubeflowTarget, host: str, proxy: Proxy | None) -> Iterator[None]:
    """Turns the client's errors into ones that say what to do."""
    try:
        yield
    except kfp_server_api.ApiException as error:
        raise _explain_answer(error, target, host) from error
    except urllib3.exceptions.HTTPError as error:
        raise _explain_silence(error, target, host, proxy) from error
    except _TAKEN_APART as error:
        raise _not_kfp(host, f"{type(error).__name__}: {error}") from error
    except OSError as error:
        raise UserError(
            f"{error.filename or host}: can't be read ({error.strerror or error}); in a pod, "
            "mount the service account's token there, elsewhere use `auth: {kind: token}`"
        ) from error


_TAKEN_APART = (AttributeError, LookupError, OverflowError, RecursionError, TypeError, ValueError)
"""What the generated client raises where an answer is not of the form that it knows."""


def _not_kfp(host: str, reason: str) -> UnansweredError:
    return UnansweredError(
        f"{host}: answers, but not as Kubeflow Pipelines does ({reason[:200]}); check the target's "
        "host, and the server's version"
    )


def _explain_answer(
    error: kfp_server_api.ApiException, target: KubeflowTarget, host: str
) -> Exception:
    said = _message(error)
    if error.status == 409:
        return ConflictError(said)
    if error.status == 401:
        return UserError(f"{host}: did not accept who you are (401: {said}); {_renew(target)}")
    if error.status == 403:
        return UserError(
            f"{host}: you may not do that in the namespace {target.namespace}, or there is no "
            f"such namespace (403: {said}); check the target's namespace, and ask for a "
            "RoleBinding there to kubeflow-pipelines-edit"
        )
    if error.status == 404:
        return MissingError(f"{host}: has no such thing (404: {said})")
    if error.status == 0 and str(error.reason).startswith("SSLError"):
        return _explain_tls(str(error.reason), target, host)
    if error.status in (0, None):  # The generated client, of what it can't take apart.
        return _not_kfp(host, str(error.reason))
    if error.status == 500 or error.status in _BUSY:
        return UnansweredError(
            f"{host}: the server failed ({error.status}: {said}); see `kubectl logs -n kubeflow "
            "deploy/ml-pipeline`, or try again later"
        )
    skew = "; was the server given what a newer SDK writes?" if "unknown" in said else ""
    return UserError(f"{host}: refused the request ({error.status}: {said}){skew}")


def _explain_silence(
    error: urllib3.exceptions.HTTPError, target: KubeflowTarget, host: str, proxy: Proxy | None
) -> Exception:
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, urllib3.exceptions.SSLError):
        return _explain_tls(str(reason), target, host)
    if proxy is not None:
        return UnansweredError(
            f"{host}: can't be reached through the proxy {proxy.address} ({reason}); check the "
            "target's host and the proxy, or name the host in NO_PROXY to reach it directly"
        )
    return UnansweredError(
        f"{host}: can't be reached ({reason}); check the target's host, your network or VPN, or "
        "let litesmith forward a port with `auth: {kind: port_forward}`"
    )


def _explain_tls(reason: str, target: KubeflowTarget, host: str) -> UserError:
    trusted = f"{target.ca_file} does not fit" if target.ca_file else "give its CA as `ca_file`"
    return UserError(f"{host}: its certificate is not trusted ({reason}); {trusted}")


def _renew(target: KubeflowTarget) -> str:
    if isinstance(target.auth, TokenAuth):
        return f"the token in {target.auth.variable} is wrong or has expired: get a new one"
    if isinstance(target.auth, CommandAuth):
        return f"`{' '.join(target.auth.command)}` prints a token that is not meant for it"
    if isinstance(target.auth, ServiceAccountAuth):
        return f"the token in {target.auth.file} needs the audience pipelines.kubeflow.org"
    return "give the target a token: `auth: {kind: token, variable: KFP_TOKEN}`"


def _message(error: kfp_server_api.ApiException) -> str:
    """Returns what the server said: its error document's message, or the reason phrase."""
    body = error.body or b""
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body)
    try:
        document = json.loads(text)
    except ValueError:
        document = {}
    if isinstance(document, dict):
        for name in ("message", "error_message", "error"):
            if isinstance(document.get(name), str) and document[name]:
                return str(document[name])[:500]
    return str(error.reason)


@contextlib.contextmanager
def _port_forward(auth: PortForwardAuth) -> Iterator[str]:
    """Runs `kubectl port-forward` and yields the address of its near end."""
    command = ["kubectl", "port-forward", "--address=127.0.0.1"]
    command += [f"--context={auth.kube_context}"] if auth.kube_context else []
    command += [f"--namespace={auth.service_namespace}", f"service/{auth.service}", f":{auth.port}"]
    try:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError as error:
        raise UserError("port_forward needs kubectl on the PATH; install it") from error
    give_up = threading.Timer(_FORWARD_TIMEOUT_S, process.kill)
    give_up.start()
    try:
        assert process.stdout is not None and process.stderr is not None
        # Forwarding from 127.0.0.1:43187 -> 8888
        line = process.stdout.readline().decode()
        give_up.cancel()
        if not line.startswith("Forwarding from"):
            process.kill()
            said = process.stderr.read().decode().strip() or "no answer"
            raise UserError(f"kubectl port-forward failed: {said}; try it by hand: {command}")
        yield f"http://{line.split()[2]}"
    finally:
        give_up.cancel()
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
