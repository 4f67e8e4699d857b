"""The launcher, through Kubernetes' own client, against a server with its schemas and JobSet's.

Every request is checked against the role that the manifests ship.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components import launched_worker
from components.common.config import StageConfig
from components.common.documents.record import Record, StoredOutput
from components.common.errors import UserError
from components.common.process.events import Events
from components.common.process.termination import TERMINATED
from components.common.storage import LocalStorage
from components.common.workers.jobset import (
    COMMAND,
    INTERRUPTED,
    NAMESPACE,
    PEER_LOST,
    POD_NAME,
    POD_UID,
    WorkerPods,
    build_jobset,
    jobset_name,
)
from components.common.workers.jobset_api import Pace
from components.common.workers.launcher import launch_and_wait
from components.common.workers.launches import ABANDONED_AFTER_S, Launch
from components.common.workers.waiting import WorkersFailed
from components.common.workers.worker import WORKER_PODS, Worker, tf_config, this_worker
from tests.builders.synthetic import run_context, write_dataset
from tests.fakes.api_server import Refusal
from tests.fakes.kubernetes_server import KubernetesServer, check_jobset

ROOT = Path(__file__).parents[4]
KEY = "0123456789abcdef" * 4
NAME = jobset_name("finetune", KEY)
QUICK = Pace(look=2.0, settle=0.01, patience=1.5)
OWNER = {"name": "run-finetune-1", "uid": "7c1d"}
PODS = WorkerPods(
    count=3,
    template={
        "metadata": {"labels": {"app.kubernetes.io/name": "litesmith"}},
        "spec": {
            "containers": [
                {
                    "name": "main",
                    "image": "train:1",
                    "resources": {
                        "requests": {"cpu": "1", "nvidia.com/gpu": "1"},
                        "limits": {"nvidia.com/gpu": "1"},
                    },
                }
            ]
        },
    },
    queue="gpus",
    timeout_s=3600,
)
RECORD = Record.model_construct(stage="finetune", key=KEY)


def role() -> list[dict[str, Any]]:
    text = (ROOT / "manifests" / "components" / "launcher" / "launcher.yaml").read_text()
    (found,) = (each for each in yaml.safe_load_all(text) if each["kind"] == "Role")
    rules: list[dict[str, Any]] = found["rules"]
    return rules


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubernetesServer]:
    with KubernetesServer(rules=role()).serving(tmp_path, monkeypatch) as server:
        yield server


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    context = run_context(tmp_path)
    write_dataset(context, tmp_path / "dataset", examples={"train": 6, "validation": 6, "test": 6})
    launch = Launch(context.data(), "finetune", KEY)
    launch.leave(StageConfig(), context, {"dataset": tmp_path / "dataset", "none": None})
    return launch


def test_workers_are_told_which_task_they_compute_and_which_output_of_the_store_they_need(
    tmp_path: Path,
) -> None:
    context = run_context(tmp_path)
    parent = StoredOutput(stage="finetune", key="key", output_digest="digest")
    launch = Launch(context.data(), "compress", KEY)
    launch.leave(StageConfig(), context, {"parent": parent}, instance="pruned")
    document, inputs = launch.take(tmp_path / "inputs")
    assert (document.instance, inputs) == ("pruned", {"parent": parent})
    assert not list(context.data().list(f"{launch.folder}/inputs/")), "nothing is copied"


def wait(launch: Launch, *results: Record | None, pace: Pace = QUICK) -> Record:
    """Launches; the store has the results, one after another, each time that it is asked."""
    rest = iter(results or (RECORD,))
    return launch_and_wait(
        launch,
        lambda: next(rest),
        environment={
            WORKER_PODS: PODS.to_json(),
            POD_NAME: OWNER["name"],
            POD_UID: OWNER["uid"],
            NAMESPACE: "vision",
        },
        states=f"checkpoints/finetune/{KEY}",
        events=Events("finetune"),
        pace=pace,
    )


def end_well(server: KubernetesServer, name: str, attempt: int) -> None:
    server.begin(name)
    for index in range(PODS.count):
        server.end(name, index, 0)


def end_with(*codes: int, lines: tuple[str, ...] = ()) -> Callable[..., None]:
    """Returns a workload that prints and ends so in the second worker, and well afterwards."""

    def workload(server: KubernetesServer, name: str, attempt: int) -> None:
        if attempt >= len(codes):
            end_well(server, name, attempt)
            return
        server.begin(name)
        server.say(name, 1, *lines)
        server.end(name, 1, codes[attempt])

    return workload


# --- the object ---------------------------------------------------------------------


def jobset(**changes: Any) -> dict[str, Any]:
    pods = PODS.model_copy(update=changes)
    return build_jobset(pods, stage="finetune", key=KEY, data_root="/mnt/data", owner=OWNER)


def test_the_jobset_fits_the_published_schemas() -> None:
    check_jobset(jobset())
    check_jobset(jobset(count=64, queue=None, timeout_s=None))


@pytest.mark.parametrize("path", ["spec.replicatedJob", "spec.network.hostnames"])
def test_the_schemas_refuse_what_they_do_not_know(path: str) -> None:
    body = jobset()
    *way, last = path.split(".")
    part = body
    for step in way:
        part = part[step]
    part[last] = True
    with pytest.raises(Refusal, match=last):
        check_jobset(body)


def test_one_job_has_all_workers_and_falls_with_each() -> None:
    body = jobset()
    (replicated,) = body["spec"]["replicatedJobs"]
    job = replicated["template"]["spec"]
    assert (job["parallelism"], job["completions"], job["completionMode"]) == (3, 3, "Indexed")
    assert job["backoffLimit"] == 0 and job["activeDeadlineSeconds"] == 3600
    assert job["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"] == list(INTERRUPTED)
    assert body["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"
    assert body["metadata"]["ownerReferences"] == [{"apiVersion": "v1", "kind": "Pod", **OWNER}]


def test_workers_find_one_another_by_index_and_stable_names() -> None:
    (container,) = jobset()["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]["spec"][
        "containers"
    ]
    assert container["command"] == list(COMMAND)
    stage, key, data_root, *addresses = container["args"]
    assert (stage, key, data_root) == ("finetune", KEY, "/mnt/data")
    # As JobSet's documentation has it: <set>-<job>-<job index>-<pod index>.<subdomain>.
    name = "litesmith-finetune-0123456789abcdef"
    assert addresses == [f"{name}-worker-0-{index}.{name}:2222" for index in range(3)]
    config = json.loads(tf_config(tuple(addresses), 2))
    assert config == {
        "cluster": {"worker": addresses},
        "task": {"type": "worker", "index": 2},
    }
    assert this_worker({"TF_CONFIG": json.dumps(config)}) == Worker(2, 3)


# --- waiting ------------------------------------------------------------------------


def test_the_result_is_waited_for_and_everything_removed(cluster, launch, capsys) -> None:
    def workload(server: KubernetesServer, name: str, attempt: int) -> None:
        server.hold_up(name, 2, "ImagePullBackOff")
        time.sleep(0.2)
        server.begin(name)
        server.say(name, 0, "finetune: progress done=1", "a line of the chief")
        server.say(name, 1, "a line of another")
        end_well(server, name, attempt)

    cluster.workload = workload
    assert wait(launch) is RECORD
    assert len(cluster.created) == 1
    assert cluster.jobsets == {} and cluster.count("DELETE .*propagationPolicy=Foreground") == 1
    assert list(launch.data.list("launches/")) == []
    printed = capsys.readouterr().out
    assert "pods=2 pending, 1 pending (ImagePullBackOff)" in printed
    assert "finetune: progress done=1\na line of the chief\n" in printed
    assert "a line of another" not in printed


def test_no_right_is_granted_that_is_not_used(cluster, launch) -> None:
    def workload(server: KubernetesServer, name: str, attempt: int) -> None:
        server.begin(name)
        while not {"watch jobsets", "get pods/log"} <= server.verbs:
            time.sleep(0.01)
        end_well(server, name, attempt)

    cluster.workload = workload
    wait(launch)
    granted = {
        f"{verb} {resource}"
        for rule in role()
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert cluster.verbs == granted


def test_a_second_launcher_waits_for_the_set_that_is_there(cluster, launch, capsys) -> None:
    started = threading.Event()

    def workload(server: KubernetesServer, name: str, attempt: int) -> None:
        started.wait()
        end_well(server, name, attempt)

    cluster.workload = workload
    cluster.create(jobset())
    threading.Timer(0.2, started.set).start()
    assert wait(launch) is RECORD
    assert len(cluster.created) == 1
    assert f"finetune: joins jobset={NAME}" in capsys.readouterr().out


@pytest.mark.parametrize(("kind", "sets"), [("Failed", 2), ("Completed", 1)])
def test_of_what_an_earlier_attempt_left_a_result_is_taken(cluster, launch, kind, sets) -> None:
    cluster.create(jobset())
    cluster.conclude(NAME, kind)
    cluster.workload = end_well
    assert wait(launch) is RECORD
    assert len(cluster.created) == sets and cluster.jobsets == {}


def test_a_set_that_is_still_going_is_waited_for(cluster, launch) -> None:
    cluster.create(jobset())
    cluster.mark_deleted(NAME)
    cluster.workload = end_well

    def remove() -> None:
        while cluster.count("^POST") < 3:
            time.sleep(0.01)
        cluster.remove(NAME)

    threading.Thread(target=remove).start()
    assert wait(launch) is RECORD
    assert len(cluster.created) == 2


def test_the_set_of_another_computation_is_left_alone(cluster, launch) -> None:
    other = build_jobset(
        PODS, stage="finetune", key=KEY[:16] + "f" * 48, data_root="/", owner=OWNER
    )
    cluster.create(other)
    with pytest.raises(WorkersFailed, match="computes something else"):
        wait(launch)


def test_a_set_that_is_deleted_is_made_anew(cluster, launch) -> None:
    def workload(server: KubernetesServer, name: str, attempt: int) -> None:
        if len(server.created) == 1:
            server.begin(name)
            time.sleep(0.1)
            server.remove(name)
        else:
            end_well(server, name, attempt)

    cluster.workload = workload
    assert wait(launch, None, RECORD) is RECORD
    assert len(cluster.created) == 2


def test_a_set_that_is_deleted_because_the_result_is_there_is_not(cluster, launch) -> None:
    cluster.workload = lambda server, name, attempt: server.remove(name)
    assert wait(launch) is RECORD
    assert len(cluster.created) == 1


def test_a_set_that_someone_keeps_deleting_is_given_up(cluster, launch) -> None:
    cluster.workload = lambda server, name, attempt: server.remove(name)
    with pytest.raises(WorkersFailed, match="was deleted 5 times"):
        wait(launch, *[None] * 5)


def test_a_set_that_ends_well_without_a_result_is_not_run_again(cluster, launch) -> None:
    cluster.workload = end_well
    with pytest.raises(WorkersFailed, match="the store has no whole result"):
        wait(launch, None)
    assert len(cluster.created) == 1


# --- failures -----------------------------------------------------------------------


def test_a_failed_worker_fails_the_task_with_its_last_lines(cluster, launch) -> None:
    cluster.workload = end_with(1, lines=("Traceback", "RuntimeError: out of luck"))
    with pytest.raises(WorkersFailed, match=r"worker 1 .* status 1 .*\n.*\nRuntimeError: out of"):
        wait(launch)
    assert cluster.jobsets == {} and len(cluster.created) == 1


def test_a_workers_user_error_is_the_tasks(cluster, launch) -> None:
    cluster.workload = end_with(2, lines=("loading", "error: 2 shards for 3 workers"))
    with pytest.raises(UserError, match="^2 shards for 3 workers$"):
        wait(launch)
    assert cluster.jobsets == {} and len(cluster.created) == 1


def test_who_lost_another_is_not_to_blame(cluster, launch) -> None:
    """By its policy the job was interrupted, for one of its pods says so, and starts anew."""

    def workload(server: KubernetesServer, name: str, attempt: int) -> None:
        server.begin(name)
        server.say(name, 2, "out of memory")
        server.stop_all_at_once(name, {0: PEER_LOST, 2: 137})

    cluster.workload = workload
    with pytest.raises(WorkersFailed, match=r"worker 2 .* status 137 .*\nout of memory"):
        wait(launch)


@pytest.mark.parametrize("code", INTERRUPTED)
def test_an_interruption_restarts_the_workers_without_an_end(cluster, launch, code) -> None:
    cluster.workload = end_with(code, code, code)
    assert wait(launch) is RECORD
    assert len(cluster.created) == 1


def test_an_evicted_worker_is_an_interruption(cluster, launch) -> None:
    def workload(server: KubernetesServer, name: str, attempt: int) -> None:
        if attempt:
            end_well(server, name, attempt)
        else:
            server.begin(name)
            server.end(name, 0, 137, disrupted=True)

    cluster.workload = workload
    assert wait(launch) is RECORD
    assert len(cluster.created) == 1


def test_interruptions_in_vain_are_bounded(cluster, launch) -> None:
    cluster.workload = end_with(*[TERMINATED] * 100)
    with pytest.raises(WorkersFailed, match="interrupted .* in a row before it had kept a new"):
        wait(launch)
    assert cluster.jobsets == {}


def test_interruptions_are_not_bounded_while_training_comes_further(cluster, launch) -> None:
    def workload(server: KubernetesServer, name: str, attempt: int) -> None:
        if attempt == 8:
            end_well(server, name, attempt)
            return
        state = f"checkpoints/finetune/{KEY}/{attempt:08d}-{'0' * 64}.npz"
        launch.data.write(state, b"a state")
        looked = server.count(f"GET .*/jobsets/{NAME}")
        while server.count(f"GET .*/jobsets/{NAME}") < looked + 3:
            server.begin(name)
            time.sleep(0.01)
        server.end(name, 1, TERMINATED)

    cluster.workload = workload
    assert wait(launch) is RECORD


# --- the line to the cluster --------------------------------------------------------


@pytest.mark.parametrize("fault", ["429", "503", "500", "reset", "lost"])
@pytest.mark.parametrize(
    "request_", ["^POST", f"^GET .*/jobsets/{NAME}", "^GET .*/pods", "^DELETE"]
)
def test_a_cluster_that_is_busy_or_breaks_the_line_is_asked_again(
    cluster, launch, request_, fault
) -> None:
    cluster.workload = end_well
    cluster.fail(request_, fault, fault)
    assert wait(launch) is RECORD
    assert len(cluster.created) == 1 and cluster.jobsets == {}


def test_a_cluster_that_stays_busy_is_given_up(cluster, launch) -> None:
    cluster.workload = end_well
    cluster.fail(f"^GET .*/jobsets/{NAME}", *["503"] * 1000)
    with pytest.raises(Exception, match="503"):
        wait(launch, pace=Pace(look=1.0, settle=0.01, patience=0.2))


@pytest.mark.parametrize("fault", ["cut", "reset", "429", "500"])
def test_a_watch_that_breaks_is_begun_again(cluster, launch, fault) -> None:
    cluster.fail("watch=True", fault, fault)

    def workload(server: KubernetesServer, name: str, attempt: int) -> None:
        server.begin(name)
        while server.count("watch=True") < 3:
            time.sleep(0.01)
            server.hold_up(name, 0, "StillComing")
        end_well(server, name, attempt)

    cluster.workload = workload
    assert wait(launch) is RECORD


def test_a_watch_from_a_forgotten_version_looks_anew(cluster, launch) -> None:
    def workload(server: KubernetesServer, name: str, attempt: int) -> None:
        while server.count("watch=True") < 5:
            server.forget_history()
            time.sleep(0.02)
        end_well(server, name, attempt)

    cluster.workload = workload
    assert wait(launch) is RECORD


def test_the_chiefs_log_is_printed_once_though_the_line_breaks(cluster, launch, capsys) -> None:
    cluster.fail("/log", "cut", "reset", "cut", "503")
    lines = [f"line {number}" for number in range(5)]

    def workload(server: KubernetesServer, name: str, attempt: int) -> None:
        server.begin(name)
        server.say(name, 0, *lines)
        while server.count("/log") < 5:
            time.sleep(0.01)
        end_well(server, name, attempt)

    cluster.workload = workload
    assert wait(launch) is RECORD
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("line")]
    assert printed == lines


def test_a_missing_right_is_named(cluster, launch) -> None:
    cluster.rules = []
    with pytest.raises(UserError, match="cannot create jobsets.*needs the role litesmith-launcher"):
        wait(launch)


def test_a_cluster_without_jobset_is_named(cluster, launch) -> None:
    cluster.has_jobset = False
    with pytest.raises(UserError, match="knows no JobSet .*install it"):
        wait(launch)


def test_what_the_cluster_refuses_is_told(cluster, launch, monkeypatch) -> None:
    template = json.loads(json.dumps(PODS.template))
    template["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] = "2"
    monkeypatch.setattr(
        sys.modules[__name__], "PODS", PODS.model_copy(update={"template": template})
    )
    with pytest.raises(UserError, match="refuses .*must be equal to the limit.*section of the tar"):
        wait(launch)


# --- ends ---------------------------------------------------------------------------


@pytest.mark.slow
def test_sigterm_deletes_the_set(cluster, launch, tmp_path) -> None:
    cluster.workload = lambda server, name, attempt: server.begin(name)
    program = (
        "import json, sys\n"
        "from kubernetes.config import incluster_config as place\n"
        f"place.SERVICE_TOKEN_FILENAME = {cluster.files['TOKEN']!r}\n"
        f"place.SERVICE_CERT_FILENAME = {cluster.files['CERT']!r}\n"
        "from components.common.process.events import Events\n"
        "from components.common.workers.jobset_api import Pace\n"
        "from components.common.workers.launcher import launch_and_wait\n"
        "from components.common.workers.launches import Launch\n"
        "from components.common.storage import LocalStorage\n"
        "import os\n"
        f"launch = Launch(LocalStorage({launch.data.root!r}), 'finetune', {KEY!r})\n"
        "launch_and_wait(launch, lambda: None, environment=os.environ, states='checkpoints/x',\n"
        "                events=Events('finetune'), pace=Pace(look=20.0))\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        WORKER_PODS: PODS.to_json(),
        POD_NAME: OWNER["name"],
        POD_UID: OWNER["uid"],
        NAMESPACE: "vision",
    }
    process = subprocess.Popen([sys.executable, "-c", program], env=environment)
    while cluster.count("watch=True") < 1:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == TERMINATED
    assert cluster.jobsets == {} and cluster.count("DELETE .*propagationPolicy=Foreground") == 1


def test_a_launcher_renews_its_sign_of_life(cluster, launch, monkeypatch) -> None:
    monkeypatch.setattr("components.common.workers.waiting.RENEWED_AFTER_S", 0.0)
    awaited = f"{launch.folder}/awaited"
    launch.data.write(awaited, b"0")
    assert launch.is_abandoned()

    def workload(server: KubernetesServer, name: str, attempt: int) -> None:
        server.begin(name)
        while launch.is_abandoned():
            time.sleep(0.01)
        end_well(server, name, attempt)

    cluster.workload = workload
    assert wait(launch) is RECORD


@pytest.fixture
def sigterm() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_workers_that_nobody_waits_for_do_not_start(launch, monkeypatch, sigterm) -> None:
    monkeypatch.setenv(launched_worker.INDEX, "0")
    launch.data.write(f"{launch.folder}/awaited", str(time.time() - ABANDONED_AFTER_S - 1).encode())
    with pytest.raises(SystemExit, match="nobody waits"):
        launched_worker.main(["finetune", KEY, launch.data.root, "a:1", "b:1"])
    launch.remove()
    with pytest.raises(SystemExit, match="nobody waits"):
        launched_worker.main(["finetune", KEY, launch.data.root, "a:1", "b:1"])


def test_the_chief_is_told_to_end_when_nobody_waits_any_more(launch, monkeypatch, sigterm) -> None:
    monkeypatch.setattr(launched_worker, "RENEWED_AFTER_S", 0.01)
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: told.set())
    watch = threading.Thread(target=launched_worker._end_when_abandoned, args=(launch,))
    watch.start()
    watch.join(0.2)
    assert watch.is_alive() and not told.is_set()
    launch.data.write(f"{launch.folder}/awaited", b"0")
    watch.join()
    assert told.wait(10)


def test_a_launch_is_taken_as_it_was_left(launch, tmp_path) -> None:
    document, inputs = launch.take(tmp_path / "there")
    assert document.config == StageConfig().to_json()
    assert inputs.keys() == {"dataset"}
    for path in (tmp_path / "dataset").rglob("*"):
        assert (inputs["dataset"] / path.name).read_bytes() == path.read_bytes()
    assert LocalStorage(launch.data.root).exists(f"{launch.folder}/awaited")
