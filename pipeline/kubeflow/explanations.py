"""What a failed request to Kubeflow Pipelines means, and what to do about it.

kfp's client raises what its generated code, urllib3 or the socket raised. `explained` turns each
into one of four: it is there already, it is not there, no usable answer came, or it was refused.
"""

import contextlib
import json
from collections.abc import Iterator

import kfp_server_api
import urllib3

from components.common.errors import UserError
from pipeline.kubeflow.proxies import Proxy
from pipeline.kubeflow.transport import BUSY
from pipeline.target import CommandAuth, KubeflowTarget, ServiceAccountAuth, TokenAuth


class ConflictError(Exception):
    """What was to be created is there already."""


class MissingError(UserError):
    """What was asked for is not there."""


class UnansweredError(UserError):
    """No usable answer came: what was asked may have been done or not."""


@contextlib.contextmanager
def explained(target: KubeflowTarget, host: str, proxy: Proxy | None) -> Iterator[None]:
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
    said = message_of(error)
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
    if error.status == 500 or error.status in BUSY:
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


def message_of(error: kfp_server_api.ApiException) -> str:
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
