"""HTTP to Kubeflow Pipelines: bounds of time and size that kfp's generated client lacks.

The generated client asks urllib3 through one object, its `rest_client`. `PatientRest` takes that
one's place: every request has a timeout, reads are repeated, and an answer is read whole within
bounds of bytes and of time, whoever sends it.
"""

import time
from typing import Any

import kfp_server_api
import urllib3
from kfp_server_api.rest import RESTClientObject

from components.common.errors import UserError
from components.common.words.figures import size

CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 10, 60
BACKOFF_S = 0.2
"""Before a read is repeated; twice as long each time."""

_READ_ATTEMPTS = 4
BUSY = (429, 502, 503, 504)
"""What a server answers that may answer well in a moment."""

_ANSWER_BYTES = 64 << 20  # A page of a hundred runs has a megabyte.
_ANSWER_TIMEOUT_S = 300.0  # For all of it, however slowly it comes.


class PatientRest(RESTClientObject):  # type: ignore[misc]
    """The generated client's HTTP layer with timeouts and repeated reads."""

    def __init__(self, configuration: kfp_server_api.Configuration) -> None:
        configuration.retries = urllib3.Retry(
            total=_READ_ATTEMPTS,
            retry_after_max=int(READ_TIMEOUT_S),
            backoff_factor=BACKOFF_S,
            backoff_jitter=BACKOFF_S / 2,
            status_forcelist=BUSY,
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
                f"{response.url}: sent more than {size(_ANSWER_BYTES)}, or for longer than "
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
