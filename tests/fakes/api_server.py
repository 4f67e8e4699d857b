"""What the tests' stand-ins for HTTP APIs share: the server, requests, refusals and faults."""

import contextlib
import dataclasses
import email.message
import json
import re
import socket
import ssl
import struct
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]

Fault = Literal["reset", "lost", "cut", "429", "500", "503"]
"""reset: the line breaks before anything is done; lost: after it; cut: in mid-answer, after
its first line; a number: an answer."""


class Refusal(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclasses.dataclass
class Request:
    """One HTTP request, taken apart."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: email.message.Message
    data: bytes

    @property
    def authorization(self) -> str | None:
        return self.headers.get("authorization")


class ApiServer:
    """A server of one process, whose requests can be made to fail."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self._faults: list[tuple[str, Fault]] = []
        self._faults_lock = threading.Lock()

    def answer(self, request: Request) -> Json | Iterator[str]:
        """Returns an answer's body, or its lines as they come.

        Raises:
          Refusal: says why.
        """
        raise NotImplementedError

    def error(self, message: str) -> Json:
        """Returns the body of an answer other than 200."""
        raise NotImplementedError

    def fail(self, pattern: str, *faults: Fault) -> None:
        """Lets the next requests that match `METHOD /path?query` fail, one after another."""
        self._faults.extend((pattern, fault) for fault in faults)

    def count(self, pattern: str) -> int:
        return sum(re.search(pattern, request) is not None for request in self.requests)

    def take_fault(self, request: str) -> Fault | None:
        with self._faults_lock:
            for position, (pattern, fault) in enumerate(self._faults):
                if re.search(pattern, request):
                    del self._faults[position]
                    return fault
        return None

    @contextlib.contextmanager
    def listening(self, certificate: Path | None) -> Iterator[int]:
        """Serves on a port of this machine, by TLS with a PEM file of certificate and key."""
        server = _HttpServer(("127.0.0.1", 0), _Handler)
        server.api = self
        if certificate is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate)
            server.socket = tls.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    api: ApiServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stays silent: a client that hangs up is part of a test."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # Else every answer waits 40 ms for an acknowledgement.
    server: _HttpServer

    def _serve(self) -> None:
        api, url = self.server.api, urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        data = self.rfile.read(int(self.headers.get("content-length") or 0))
        fault = api.take_fault(f"{self.command} {self.path}")
        if fault == "reset":
            self._break_line()
            return
        if fault is not None and fault not in ("lost", "cut"):
            self._send(int(fault), api.error("the server is busy"))
            return
        try:
            status = 200
            answer = api.answer(Request(self.command, url.path, query, self.headers, data))
        except Refusal as refusal:
            status, answer = refusal.status, api.error(str(refusal))
        if fault == "lost":
            self._break_line()
        elif isinstance(answer, dict):
            self._send(status, answer)
        else:
            self._stream(answer, is_cut=fault == "cut")

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815 (http.server's spelling)

    def _send(self, status: int, answer: Json) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, lines: Iterator[str], *, is_cut: bool) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in lines:
            data = line.encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            if is_cut:
                self._break_line()
                return
        self.wfile.write(b"0\r\n\r\n")

    def _break_line(self) -> None:
        linger = struct.pack("ii", 1, 0)  # Closing sends RST.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Stays silent."""
