"""Servers in the place of KFP's that send without end, slowly, deeply, or what nobody asked for."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from components.common.errors import UserError
from pipeline.kubeflow import connection, transport
from pipeline.kubeflow.connection import connect
from pipeline.target import KubeflowTarget
from tests.builders.targets import make_target

Answer = Callable[[str], Iterator[bytes]]
HEALTHY = b'{"multi_user": true}'


@contextlib.contextmanager
def serve(answer: Answer) -> Iterator[KubeflowTarget]:
    """Serves whatever bytes come of a request's path, one connection at a time each."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_accept, args=(server, answer), daemon=True).start()
        yield make_target(Path("/data"), f"http://127.0.0.1:{server.getsockname()[1]}")
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


def _accept(server: socket.socket, answer: Answer) -> None:
    with contextlib.suppress(OSError):
        while True:
            taken, _ = server.accept()
            threading.Thread(target=_serve_one, args=(taken, answer), daemon=True).start()


def _serve_one(taken: socket.socket, answer: Answer) -> None:
    with taken, contextlib.suppress(OSError):
        path = taken.recv(65536).split(b" ", 2)[1].decode()
        for piece in answer(path):
            taken.sendall(piece)


def head(status: str = "200 OK", *more: str, length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", "Connection: close", *more]
    lines += [f"Content-Length: {length}"] if length is not None else []
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def whole(body: bytes) -> Iterator[bytes]:
    yield head(length=len(body)) + body


def endless(status: str = "200 OK", *more: str, pause_s: float = 0.0) -> Iterator[bytes]:
    yield head(status, *more)
    while True:
        yield b" " * (1 if pause_s else 1 << 20)
        time.sleep(pause_s)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_ANSWER_TIMEOUT_S", 1.0)
    monkeypatch.setattr(transport, "_ANSWER_BYTES", 8 << 20)
    monkeypatch.setattr(transport, "BACKOFF_S", 0.01)


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "answer",
    [
        lambda path: endless(),
        lambda path: endless(pause_s=0.05),
        lambda path: endless("404 Not Found"),
    ],
    ids=["without end", "slowly", "a refusal without end"],
)
def test_an_answer_without_end_is_given_up(answer: Answer) -> None:
    with serve(answer) as target, pytest.raises(UserError, match="in one answer; is the target"):
        with connect(target, {}):
            pass


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("status", "more"),
    [("503 Busy", ()), ("302 Found", ("Location: /elsewhere",))],
    ids=["busy", "redirected"],
)
def test_what_is_asked_again_is_not_read_to_its_end(status: str, more: tuple[str, ...]) -> None:
    with serve(lambda path: endless(status, *more)) as target, pytest.raises(UserError):
        with connect(target, {}):
            pass


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"runs": 5}',
        b'{"runs": [7]}',
        b'{"runs": [{"created_at": {}}]}',
        b'{"runs": [{"created_at": "99999-99-99"}]}',
        b"\xff\xfe",
        b"[]",
    ],
    ids=["deep", "a number", "numbers", "a mapping", "no date", "no text", "a list"],
)
def test_an_answer_of_the_wrong_kind_gets_a_sentence(body: bytes) -> None:
    def answer(path: str) -> Iterator[bytes]:
        return whole(HEALTHY if "healthz" in path else body)

    with serve(answer) as target, connect(target, {}) as api:
        try:
            list(api.pages(api.client._run_api.run_service_list_runs, "runs"))
        except UserError as error:
            assert "as Kubeflow Pipelines does" in str(error)


def test_a_list_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_MOST_PAGES", 5)

    def answer(path: str) -> Iterator[bytes]:
        return whole(HEALTHY if "healthz" in path else b'{"runs": [{}], "next_page_token": "x"}')

    with serve(answer) as target, connect(target, {}) as api:
        with pytest.raises(UserError, match="lists more than 500 runs"):
            list(api.pages(api.client._run_api.run_service_list_runs, "runs"))
