"""A forward proxy of one process: plain requests, and tunnels for TLS.

Every host that it is asked for leads to one port of this machine, so that a name that is
only known to the proxy is reached by the proxy alone.
"""

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


class ProxyServer(ThreadingHTTPServer):
    """A proxy and what it was asked.

    Attributes:
      asked: `METHOD host` of every request.
      authorizations: the proxy's own credentials of every request, None for none.
    """

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port = port
        self.asked: list[str] = []
        self.authorizations: list[str | None] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @contextlib.contextmanager
    def serving(self) -> Iterator["ProxyServer"]:
        thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: ProxyServer

    def _forward(self) -> None:
        url = urlsplit(self.path)
        self._note(url.netloc)
        data = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {k: v for k, v in self.headers.items() if not k.lower().startswith("proxy-")}
        line = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        with contextlib.closing(line):
            line.request(self.command, f"{url.path}?{url.query}", data, headers)
            answer = line.getresponse()
            body = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("content-type", "text/plain"))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = _forward  # noqa: N815 (http.server's spelling)

    def do_CONNECT(self) -> None:  # noqa: N802
        self._note(self.path)
        with socket.create_connection(("127.0.0.1", self.server.port), 30) as line:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=_relay, args=(line, self.connection), daemon=True)
            back.start()
            _relay(self.connection, line)
            back.join(30)
        self.close_connection = True

    def _note(self, host: str) -> None:
        self.server.asked.append(f"{self.command} {host}")
        self.server.authorizations.append(self.headers.get("proxy-authorization"))

    def log_message(self, format: str, *args: Any) -> None:
        """Stays silent."""


def _relay(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
