"""The whole way: the stage launches, pods run as processes of this machine, the result is there.

Only what a cluster adds is replaced: the image by this Python, DNS names by local ports.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from components.common.documents.bundle import ModelBundle
from components.common.documents.record import TaskResult
from components.common.models.bundles import load_bundle_model
from components.common.workers.jobset import NAMESPACE, PEER_LOST, POD_NAME, POD_UID, WorkerPods
from components.common.workers.worker import WORKER_PODS
from components.finetune import stage
from components.finetune.config import FinetuneConfig
from components.launched_worker import INDEX
from tests.builders.addresses import free_addresses
from tests.builders.synthetic import run_context, write_dataset
from tests.fakes.kubernetes_server import KubernetesServer

ROOT = Path(__file__).parents[2]
WORKERS = 2


class Kubelet:
    """Runs the pods of a JobSet as processes.

    Args:
      loses: the index of a worker that is killed once, in mid-training.
    """

    def __init__(self, loses: int | None = None) -> None:
        self.codes: list[tuple[int, int]] = []
        self._loses = loses
        self._processes: list[subprocess.Popen[str]] = []

    def __call__(self, server: KubernetesServer, name: str, attempt: int) -> None:
        addresses = free_addresses(WORKERS)
        pods = [server.worker(name, index) for index in range(WORKERS)]
        self._processes = [self._start(server, name, index, addresses) for index in range(WORKERS)]
        server.begin(name)
        followers = [
            threading.Thread(target=self._follow, args=(server, name, index, process))
            for index, process in enumerate(self._processes)
        ]
        for follower in followers:
            follower.start()
        if attempt == 0 and self._loses is not None:
            _wait_for_progress(server, name)
            self._processes[self._loses].kill()
        for follower in followers:
            follower.join()
        # Who was killed is told of last: the others had to notice by themselves.
        codes = [(index, process.returncode) for index, process in enumerate(self._processes)]
        self.codes += codes
        for index, code in sorted(codes, key=lambda pair: pair[1] == -signal.SIGKILL):
            if pods[index] in server.pods:  # Else the set began anew, with others.
                server.end(name, index, code, disrupted=code == -signal.SIGKILL)

    def _start(
        self, server: KubernetesServer, name: str, index: int, addresses: tuple[str, ...]
    ) -> "subprocess.Popen[str]":
        (container,) = server.pods[server.worker(name, index)]["spec"]["containers"]
        python, *command = container["command"]
        assert python == "python3"
        arguments = container["args"]
        arguments[-WORKERS:] = addresses
        environment = {each["name"]: each["value"] for each in container["env"]}
        return subprocess.Popen(
            [sys.executable, *command, *arguments],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                **environment,
                INDEX: str(index),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )

    def _follow(
        self, server: KubernetesServer, name: str, index: int, process: "subprocess.Popen[str]"
    ) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                server.say(name, index, line.rstrip("\n"))
        process.wait()


def _wait_for_progress(server: KubernetesServer, name: str) -> None:
    while not any("progress" in line for line in server.logs.get(server.worker(name, 0), ())):
        time.sleep(0.05)


@pytest.fixture
def launched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Returns a function that runs finetune with a kubelet, in this process."""
    context = run_context(tmp_path)
    examples = {"train": 48, "validation": 24, "test": 6}
    write_dataset(context, tmp_path / "dataset", examples=examples)
    environment = [{"name": "CUDA_VISIBLE_DEVICES", "value": ""}]
    main = {"name": "main", "image": "train:1", "env": environment, "resources": {}}
    pods = WorkerPods(count=WORKERS, template={"spec": {"containers": [main]}})
    for name, value in {
        WORKER_PODS: pods.to_json(),
        POD_NAME: "run-finetune-1",
        POD_UID: "7c1d",
        NAMESPACE: "vision",
    }.items():
        monkeypatch.setenv(name, value)

    def run(kubelet: Kubelet, config: FinetuneConfig, output: Path) -> KubernetesServer:
        with KubernetesServer(kubelet).serving(tmp_path, monkeypatch) as server:
            stage.STAGE.run(
                dataset=tmp_path / "dataset",
                config=config.to_json(),
                context=context.to_json(),
                bundle=output,
            )
        return server

    run.context = context  # type: ignore[attr-defined]
    return run


def config(epochs: int) -> FinetuneConfig:
    return FinetuneConfig(backbone="small_cnn", width=0.25, epochs=epochs, global_batch_size=16)


@pytest.mark.slow
def test_two_workers_bring_about_what_one_process_finds_in_the_store(
    launched, tmp_path, monkeypatch, capsys
) -> None:
    kubelet = Kubelet()
    server = launched(kubelet, config(2), tmp_path / "bundle")
    assert kubelet.codes == [(0, 0), (1, 0)]
    assert server.jobsets == {}
    bundle = ModelBundle.read(tmp_path / "bundle")
    assert len(bundle.history) == 2
    load_bundle_model(tmp_path / "bundle")
    assert "finetune: progress" in capsys.readouterr().out

    data = launched.context.data()
    task = f"{launched.context.run_folder()}/tasks/finetune.json"
    result = TaskResult.parse(data.read(task))
    assert result.status == "computed" and result.record.key == bundle.lineage.key
    assert list(data.list("launches/")) == list(data.list("checkpoints/")) == []

    # The same key on one machine: workers are no part of it.
    monkeypatch.delenv(WORKER_PODS)
    stage.STAGE.run(
        dataset=tmp_path / "dataset",
        config=config(2).to_json(),
        context=launched.context.to_json(),
        bundle=tmp_path / "again",
    )
    assert TaskResult.parse(data.read(task)).status == "cached"
    assert ModelBundle.read(tmp_path / "again") == bundle


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
def test_who_loses_another_worker_says_so_and_all_start_anew(launched, tmp_path, lost) -> None:
    kubelet = Kubelet(loses=lost)
    server = launched(kubelet, config(40), tmp_path / "bundle")
    first, second = kubelet.codes[:2], kubelet.codes[2:]
    assert dict(first) == {lost: -signal.SIGKILL, 1 - lost: PEER_LOST}
    assert second == [(0, 0), (1, 0)]
    assert len(server.created) == 1
    assert len(ModelBundle.read(tmp_path / "bundle").history) == 40
