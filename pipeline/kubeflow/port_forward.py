"""A way to a service inside a cluster, through kubectl."""

import contextlib
import shlex
import subprocess
import threading
from collections.abc import Iterator

from components.common.errors import UserError
from pipeline.target import PortForwardAuth

_FORWARD_TIMEOUT_S = 30


@contextlib.contextmanager
def forward_port(auth: PortForwardAuth) -> Iterator[str]:
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
            # Its last line is for people; each try before that has a line for developers.
            *_, said = process.stderr.read().decode().strip().splitlines() or ["no answer"]
            raise UserError(
                f"kubectl port-forward failed: {said}; try it by hand: {shlex.join(command)}"
            )
        yield f"http://{line.split()[2]}"
    finally:
        give_up.cancel()
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
