"""A Kubeflow Pipelines API server of one process, for kfp's own client to speak to.

It answers by the published v2beta1 schema: every body is checked field by field against
the models of `kfp_server_api`, which are generated from it, and an unknown field or a value
of another type is refused. Pipelines are checked against their protocol buffers, parameters
against the pipeline, and runs go from state to state only as the real ones do. What it can't
show is what a cluster adds: pods, Argo, the schedule's clock. Tests move runs themselves.
"""

import contextlib
import dataclasses
import email.message
import email.parser
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import kfp_server_api
import yaml
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2

from tests.fakes.api_server import ApiServer, Json, Refusal, Request

_NEXT_STATES = {
    "PENDING": {"RUNNING", "CANCELING", "FAILED", "SKIPPED"},
    "RUNNING": {"SUCCEEDED", "FAILED", "CANCELING"},
    "CANCELING": {"CANCELED", "FAILED"},
}
_WORKFLOW_BYTES = 2 << 20
"""What Kubernetes takes in one object; a run's parameters are a part of its workflow."""
_CRON_FIELD = r"(\*|\?|[0-9A-Z*/,\-]+)"


@dataclasses.dataclass
class KfpServer(ApiServer):
    """The state of the server, and what tests do to it.

    Attributes:
      token: the bearer token to ask for, None for none.
      namespaces: for a multi-user server, those that the caller may use.
      autopilot: what a run goes through each time that it is asked for.
      requests: `METHOD /path` of every request that was answered.
      node_bytes: what a node of a workflow takes; of more than 1 MiB in all Argo packs them,
        and the run's details stand still.
      agent_sees_cancel: whether KFP's agent reports a run between its cancel and its end.
      collected: the runs whose workflow Kubernetes has removed with its owner; of these no
        word comes any more, and they stay what they were.
    """

    token: str | None = None
    namespaces: frozenset[str] | None = None
    version: str = "2.17.0"
    clock: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    clock_step: timedelta = timedelta(seconds=1)
    autopilot: tuple[str, ...] = ()
    node_bytes: int = 9_400
    agent_sees_cancel: bool = True
    host: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self.pipelines: dict[str, Json] = {}
        self.versions: dict[str, Json] = {}
        self.experiments: dict[str, Json] = {}
        self.runs: dict[str, Json] = {}
        self.recurring_runs: dict[str, Json] = {}
        self._nodes: dict[str, list[Json]] = {}
        self.collected: set[str] = set()
        self._lock = threading.RLock()

    # --- what tests do --------------------------------------------------------------

    @contextlib.contextmanager
    def serving(self, certificate: Path | None = None) -> Iterator["KfpServer"]:
        """Serves on a port of this machine, by TLS with a PEM file of certificate and key."""
        with self.listening(certificate) as port:
            scheme = "http" if certificate is None else "https"
            self.host = f"{scheme}://127.0.0.1:{port}"
            yield self

    def move(self, run_id: str, state: str, **tasks: str) -> None:
        """Moves a run and its tasks to another state, as the cluster would.

        Raises:
          AssertionError: no run goes from where it is to there.
        """
        with self._lock:
            run = self.runs[run_id]
            assert run_id not in self.collected, "its workflow is gone: nobody moves it"
            if state != run["state"]:
                assert state in _NEXT_STATES.get(run["state"], set()), (run["state"], state)
            run["state"] = state
            run["state_history"].append({"update_time": self._now(), "state": state})
            if state in ("SUCCEEDED", "FAILED", "CANCELED"):
                run["finished_at"] = self._now()
            for name, task_state in tasks.items():
                if not name.endswith("-driver"):
                    self._set_node(run_id, f"{name}-driver", "SUCCEEDED")
                self._set_node(run_id, name, task_state)

    def begin_again(self, run_id: str) -> str:
        """Lets Argo run the DAG anew after an error in it, as a stock installation does.

        KFP's driver refuses a task that it has seen, notify too, and the run fails.

        Returns:
          The driver's last line.
        """
        with self._lock:
            first, *_ = (
                node["display_name"].removesuffix("-driver")
                for node in self._nodes[run_id]
                if not node["display_name"].startswith("root")
            )
            for name in ("exit-handler-1(0)", "exit-handler-1(1)"):
                self._set_node(run_id, name, "FAILED")
            refused = {f"{first}-driver": "FAILED", "notify-driver": "FAILED"}
            self.move(run_id, "FAILED", **refused)
        line = f'two tasks have the same task name "{first}", id1=7 id2=31'
        return f"F0101 00:00:00.000000       1 main.go:127] KFP driver: {line}"

    def delete(self, run_id: str) -> None:
        """Removes a run, as anyone may in KFP's UI."""
        with self._lock:
            del self.runs[run_id]

    def _set_node(self, run_id: str, name: str, state: str) -> None:
        """Gives a node that goes on another state, or adds one, and lets KFP's agent report."""
        nodes = self._nodes.setdefault(run_id, [])
        going_on = [
            node
            for node in nodes
            if node["display_name"] == name and node["state"] not in ("SUCCEEDED", "FAILED")
        ]
        if going_on:
            going_on[-1]["state"] = state
        elif not name.endswith("-driver") or state == "FAILED" or not self._has(nodes, name):
            nodes.append(self._task(run_id, name, state))
        if len(nodes) * self.node_bytes <= 1 << 20:
            self.runs[run_id]["run_details"]["task_details"] = [dict(node) for node in nodes]

    def _has(self, nodes: list[Json], name: str) -> bool:
        return any(node["display_name"] == name for node in nodes)

    def fire(self, recurring_run_id: str) -> str:
        """Starts a run of a schedule, as KFP's controller does; returns its id."""
        with self._lock:
            recurring = self.recurring_runs[recurring_run_id]
            assert recurring["mode"] == "ENABLE"
            run = self._new_run(
                {
                    name: recurring[name]
                    for name in ("experiment_id", "pipeline_version_reference", "runtime_config")
                }
            )
            run["display_name"] = f"{recurring['display_name']}-{len(self.runs)}"
            run["recurring_run_id"] = recurring_run_id
            return str(run["run_id"])

    def _task(self, run_id: str, name: str, state: str) -> Json:
        return {
            "run_id": run_id,
            "task_id": str(uuid.uuid4()),
            "display_name": name,
            "state": state,
            "create_time": self._now(),
            "child_tasks": [{"pod_name": f"litesmith-{name}"}],
        }

    def _now(self) -> str:
        self.clock += self.clock_step
        return self.clock.isoformat().replace("+00:00", "Z")

    # --- what the client asks for ---------------------------------------------------

    def error(self, message: str) -> Json:
        return {"error": message, "message": message}

    def answer(self, request: Request) -> Json:
        """Answers a request; one at a time, as a database transaction would."""
        with self._lock:
            if self.token is not None and request.authorization != f"Bearer {self.token}":
                raise Refusal(401, "Request header error: there is no user identity header.")
            for method, pattern, operation in _ROUTES:
                match = re.fullmatch(pattern, request.path)
                if match is not None and request.method == method:
                    answer = operation(self, request, *match.groups())
                    self.requests.append(f"{request.method} {request.path}")
                    return answer
        raise Refusal(404, "Not Found")

    def _health(self, request: Request) -> Json:
        return {
            "commit_sha": "unknown",
            "tag_name": self.version,
            "multi_user": self.namespaces is not None,
            "pipeline_store": "database",
        }

    def _check_namespace(self, namespace: str | None) -> str:
        if self.namespaces is None:
            return ""
        if namespace not in self.namespaces:
            raise Refusal(403, f"User may not access the namespace {namespace!r}")
        return str(namespace)

    def _create_pipeline(self, request: Request) -> Json:
        body = _body(request, kfp_server_api.V2beta1Pipeline)
        namespace, name = self._check_namespace(body.get("namespace")), body["display_name"]
        self._refuse_taken(self.pipelines, name, namespace=namespace)
        pipeline = {
            "pipeline_id": str(uuid.uuid4()),
            "display_name": name,
            "name": name,
            "namespace": namespace,
            "created_at": self._now(),
        }
        self.pipelines[pipeline["pipeline_id"]] = pipeline
        return pipeline

    def _upload_version(self, request: Request) -> Json:
        pipeline_id, name = request.query["pipelineid"], request.query["name"]
        if pipeline_id not in self.pipelines:
            raise Refusal(400, "Failed to create a pipeline version")
        self._refuse_taken(self.versions, name, pipeline_id=pipeline_id)
        version = {
            "pipeline_id": pipeline_id,
            "pipeline_version_id": str(uuid.uuid4()),
            "display_name": name,
            "name": name,
            "created_at": self._now(),
            "pipeline_spec": _checked_pipeline(_file(request)),
        }
        self.versions[version["pipeline_version_id"]] = version
        return version

    def _refuse_taken(self, things: Mapping[str, Json], name: str, **same: str) -> None:
        for thing in things.values():
            if thing["display_name"] == name and same.items() <= thing.items():
                raise Refusal(409, "Already exist error")

    def _list_pipelines(self, request: Request) -> Json:
        namespace = self._check_namespace(request.query.get("namespace"))
        return _page(request, "pipelines", self.pipelines, namespace=namespace)

    def _list_versions(self, request: Request, pipeline_id: str) -> Json:
        return _page(request, "pipeline_versions", self.versions, pipeline_id=pipeline_id)

    def _create_experiment(self, request: Request) -> Json:
        body = _body(request, kfp_server_api.V2beta1Experiment)
        namespace = self._check_namespace(body.get("namespace"))
        self._refuse_taken(self.experiments, body["display_name"], namespace=namespace)
        experiment = {
            **body,
            "experiment_id": str(uuid.uuid4()),
            "namespace": namespace,
            "created_at": self._now(),
            "storage_state": "AVAILABLE",
        }
        self.experiments[experiment["experiment_id"]] = experiment
        return experiment

    def _list_experiments(self, request: Request) -> Json:
        namespace = self._check_namespace(request.query.get("namespace"))
        return _page(request, "experiments", self.experiments, namespace=namespace)

    def _create_run(self, request: Request) -> Json:
        body = _body(request, kfp_server_api.V2beta1Run)
        self._check_job(body)
        if len(json.dumps(body["runtime_config"])) > _WORKFLOW_BYTES:
            raise Refusal(500, "Failed to create a run: trying to send message larger than max")
        run = self._new_run(body)
        return run

    def _new_run(self, body: Json) -> Json:
        run_id = str(uuid.uuid4())
        run: Json = {
            **body,
            "run_id": run_id,
            "created_at": self._now(),
            "scheduled_at": self._now(),
            "finished_at": "1970-01-01T00:00:00Z",
            "storage_state": "AVAILABLE",
            "state": "PENDING",
            "state_history": [{"update_time": self._now(), "state": "PENDING"}],
            "run_details": {"task_details": []},
        }
        self.runs[run_id] = run
        self._set_node(run_id, "root-driver", "SUCCEEDED")
        return run

    def _check_job(self, body: Json) -> None:
        """Checks what runs and schedules have in common."""
        if not body.get("display_name"):
            raise Refusal(400, "The display name is empty. Please specify a valid name")
        if body.get("experiment_id") not in self.experiments:
            raise Refusal(404, f"Experiment {body.get('experiment_id')} not found")
        self._check_namespace(self.experiments[body["experiment_id"]]["namespace"])
        version = self.versions.get(
            body.get("pipeline_version_reference", {}).get("pipeline_version_id", "")
        )
        if version is None:
            raise Refusal(404, "Pipeline version not found")
        wanted = version["pipeline_spec"]["root"]["inputDefinitions"]["parameters"]
        given = body.get("runtime_config", {}).get("parameters", {})
        missing, unknown = wanted.keys() - given.keys(), given.keys() - wanted.keys()
        if missing or unknown:
            raise Refusal(400, f"parameters: {missing=} {unknown=}")
        kinds = {"STRING": str, "LIST": list}
        for name, value in given.items():
            if not isinstance(value, kinds[wanted[name]["parameterType"]]):
                raise Refusal(400, f"input parameter {name} requires {wanted[name]}")

    def _list_runs(self, request: Request) -> Json:
        experiment = request.query.get("experiment_id")
        if experiment is not None:
            if experiment not in self.experiments:
                raise Refusal(404, f"Experiment {experiment} not found")
            return _page(request, "runs", self.runs, experiment_id=experiment)
        namespace = self._check_namespace(request.query.get("namespace"))
        allowed = {
            id_: run
            for id_, run in self.runs.items()
            if self.experiments[run["experiment_id"]]["namespace"] == namespace
        }
        return _page(request, "runs", allowed)

    def _get_run(self, request: Request, run_id: str) -> Json:
        run = _found(self.runs, run_id)
        if run["state"] == "PENDING" and run_id not in self.collected:
            for state in self.autopilot:
                self.move(run_id, state)
        return run

    def _terminate_run(self, request: Request, run_id: str) -> Json:
        run = _found(self.runs, run_id)
        if run["state"] not in ("PENDING", "RUNNING"):
            raise Refusal(400, f"Failed to terminate a run {run_id}. Row not found")
        if self.agent_sees_cancel:
            self.move(run_id, "CANCELING")
        else:
            run["state"] = "CANCELING"
        return {}

    def _create_recurring_run(self, request: Request) -> Json:
        body = _body(request, kfp_server_api.V2beta1RecurringRun)
        self._check_job(body)
        _check_trigger(body.get("trigger", {}))
        if not 1 <= int(body.get("max_concurrency", 0)) <= 10:
            raise Refusal(400, "The max concurrency of the recurring run must be from 1 to 10")
        recurring: Json = {
            **body,
            "recurring_run_id": str(uuid.uuid4()),
            "created_at": self._now(),
            "updated_at": self._now(),
            "status": "ENABLED" if body.get("mode") == "ENABLE" else "DISABLED",
        }
        self.recurring_runs[recurring["recurring_run_id"]] = recurring
        return recurring

    def _list_recurring_runs(self, request: Request) -> Json:
        namespace = self._check_namespace(request.query.get("namespace"))
        allowed = {
            id_: recurring
            for id_, recurring in self.recurring_runs.items()
            if self.experiments[recurring["experiment_id"]]["namespace"] == namespace
        }
        return _page(request, "recurringRuns", allowed)

    def _get_recurring_run(self, request: Request, id_: str) -> Json:
        return _found(self.recurring_runs, id_)

    def _set_mode(self, request: Request, id_: str, verb: str) -> Json:
        recurring = _found(self.recurring_runs, id_)
        recurring["mode"] = verb.upper()
        recurring["status"] = f"{verb.upper()}D"
        return {}

    def _delete_recurring_run(self, request: Request, id_: str) -> Json:
        """Deletes what owns the workflows it has started, and these unless they are orphaned."""
        _found(self.recurring_runs, id_)
        policy = request.query.get("propagation_policy", "BACKGROUND")
        if policy not in ("FOREGROUND", "BACKGROUND", "ORPHAN"):
            raise Refusal(400, f"parsing field propagation_policy: unknown value {policy}")
        knows_policies = tuple(map(int, self.version.split(".")[:2])) >= (2, 16)
        if policy != "ORPHAN" or not knows_policies:
            self.collected |= {
                run_id
                for run_id, run in self.runs.items()
                if run.get("recurring_run_id") == id_
                and run["state"] not in ("SUCCEEDED", "FAILED", "CANCELED")
            }
        del self.recurring_runs[id_]
        return {}


_BASE = "/apis/v2beta1"
_ROUTES: tuple[tuple[str, str, Callable[..., Json]], ...] = (
    ("GET", f"{_BASE}/healthz", KfpServer._health),
    ("POST", f"{_BASE}/pipelines", KfpServer._create_pipeline),
    ("POST", f"{_BASE}/pipelines/upload_version", KfpServer._upload_version),
    ("GET", f"{_BASE}/pipelines", KfpServer._list_pipelines),
    ("GET", f"{_BASE}/pipelines/([^/]+)/versions", KfpServer._list_versions),
    ("POST", f"{_BASE}/experiments", KfpServer._create_experiment),
    ("GET", f"{_BASE}/experiments", KfpServer._list_experiments),
    ("POST", f"{_BASE}/runs", KfpServer._create_run),
    ("GET", f"{_BASE}/runs", KfpServer._list_runs),
    ("GET", f"{_BASE}/runs/([^/:]+)", KfpServer._get_run),
    ("POST", f"{_BASE}/runs/([^/:]+):terminate", KfpServer._terminate_run),
    ("POST", f"{_BASE}/recurringruns", KfpServer._create_recurring_run),
    ("GET", f"{_BASE}/recurringruns", KfpServer._list_recurring_runs),
    ("GET", f"{_BASE}/recurringruns/([^/:]+)", KfpServer._get_recurring_run),
    ("POST", f"{_BASE}/recurringruns/([^/:]+):(enable|disable)", KfpServer._set_mode),
    ("DELETE", f"{_BASE}/recurringruns/([^/:]+)", KfpServer._delete_recurring_run),
)


def _body(request: Request, model: type) -> Json:
    """Returns the JSON body, checked against a model of the published schema."""
    value = json.loads(request.data)
    check_model(value, model.__name__, "body")
    return dict(value)


def _file(request: Request) -> bytes:
    """Returns the file of a multipart upload."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    message = email.parser.BytesParser().parsebytes(head + request.data)
    parts = {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
        for part in message.get_payload()
    }
    return parts["uploadfile"]


def check_model(value: Any, type_: str, where: str) -> None:
    """Checks a value against a type of the generated client.

    Raises:
      Refusal: a field is unknown, or a value is of another type; says where.
    """
    if collection := re.fullmatch(r"(list|dict)\((?:str, )?(\w+)\)|list\[(\w+)\]", type_):
        inner = collection[2] or collection[3]
        items = value.values() if isinstance(value, dict) else value
        for item in items:
            check_model(item, inner, where)
        return
    plain = {"str": (str, int), "bool": bool, "int": int, "float": (int, float), "object": object}
    if type_ in plain:
        if not isinstance(value, plain[type_]):
            raise Refusal(400, f"{where}: expected {type_}, got {value!r}")
        return
    if type_ == "datetime":
        datetime.fromisoformat(value)
        return
    model = getattr(kfp_server_api, type_)
    if hasattr(model, "allowable_values"):
        if value not in model.allowable_values:
            raise Refusal(400, f"{where}: {value!r} is not one of {model.allowable_values}")
        return
    if not isinstance(value, dict):
        raise Refusal(400, f"{where}: expected {type_}, got {value!r}")
    names = {spelled: name for name, spelled in model.attribute_map.items()}
    for name, item in value.items():
        if name not in names:
            raise Refusal(400, f"{where}: unknown field {name!r} in {type_}")
        check_model(item, model.openapi_types[names[name]], f"{where}.{name}")


def _checked_pipeline(data: bytes) -> Json:
    """Parses an uploaded pipeline, whose fields the protocol buffers must know."""
    try:
        documents = list(yaml.load_all(data, Loader=yaml.CSafeLoader))
        spec = json_format.ParseDict(documents[0], pipeline_spec_pb2.PipelineSpec())
        for document in documents[1:]:
            for executor in document["platforms"]["kubernetes"]["deploymentSpec"][
                "executors"
            ].values():
                config = kubernetes_executor_config_pb2.KubernetesExecutorConfig()
                json_format.ParseDict(executor, config)
    except (yaml.YAMLError, json_format.ParseError, KeyError) as error:
        raise Refusal(400, f"invalid v2 pipeline spec: {error}") from error
    if spec.schema_version != "2.1.0" or not spec.pipeline_info.name:
        raise Refusal(400, "invalid v2 pipeline spec")
    return dict(documents[0])


def _check_trigger(trigger: Json) -> None:
    if len(trigger) != 1:
        raise Refusal(400, "exactly one trigger is needed")
    if cron := trigger.get("cron_schedule"):
        if not re.fullmatch(" ".join([_CRON_FIELD] * 6), cron["cron"]):
            raise Refusal(400, f"The cron expression is invalid: {cron['cron']}")
    elif int(trigger["periodic_schedule"]["interval_second"]) < 1:
        raise Refusal(400, "the interval must be positive")


def _found(things: Mapping[str, Json], id_: str) -> Json:
    if id_ not in things:
        raise Refusal(404, f"{id_} not found")
    return things[id_]


def _page(request: Request, name: str, things: Mapping[str, Json], **same: str) -> Json:
    """Returns a page of what matches; a token holds only for the same question."""
    query = request.query
    found = [thing for thing in things.values() if same.items() <= thing.items()]
    for predicate in json.loads(query.get("filter") or "{}").get("predicates", ()):
        assert predicate.keys() == {"operation", "key", "stringValue"}, predicate
        equal = predicate["operation"] in ("EQUALS", 1)
        value, key = predicate["stringValue"], predicate["key"]
        found = [t for t in found if (t[key] == value if equal else value in t[key])]
    key, _, order = (query.get("sort_by") or "created_at").partition(" ")
    found.sort(key=lambda thing: thing[key], reverse=order == "desc")
    start = 0
    if token := query.get("page_token"):
        position, question = token.split("|", 1)
        if question != f"{query.get('filter', '')}|{query.get('sort_by', '')}":
            raise Refusal(400, "page token does not match the supplied sort by and/or filter")
        start = int(position)
    size = min(int(query.get("page_size") or 20), 200)
    answer: Json = {name: found[start : start + size], "total_size": len(found)}
    if start + size < len(found):
        answer["next_page_token"] = (
            f"{start + size}|{query.get('filter', '')}|{query.get('sort_by', '')}"
        )
    return answer
