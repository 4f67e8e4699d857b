"""What Argo makes of the compiled DAG: the nodes of a run, and the texts that each one holds.

Argo keeps a node for every template that it runs, and in it the values of the template's
parameters. KFP 2.17 (backend/src/v2/compiler/argocompiler) makes of

- a task two pods, driver and executor, and a group around the executor. The driver is given the
  specification of component, task, container and Kubernetes; it returns the patch of the
  executor's pod, with the component, the executor's whole input and the whole command again,
  which the group and the executor are given in turn;
- a DAG or a loop a driver and a group, which hold the specification of all within it;
- an iteration a group, and a DAG in it; of an exit handler a group in the hook.

For a retry strategy Argo keeps one node more, with the same texts. A stock installation gives
one to every template; the target's `retries` give one to executors.

Of a DAG in which quantize and evaluate were two tasks, with all its docstrings, a real KFP 2.17.0
with Argo 4.0.5 made 125 nodes and 1.17 MB for three candidates. The model gives the same number
of nodes, and `_NODE_BYTES` is what was missing for the same bytes.
"""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Json = dict[str, Any]

_NODE_BYTES = 1650
"""What a node holds beside texts: names, ids, times, resources, children, its log's place."""
_LAUNCHER_BYTES = 650
"""The launcher's own flags and addresses in the patch of a pod."""
_ADDRESS = "minio://mlpipeline/v2/artifacts/litesmith/" + "0" * 36 + "/task/" + "0" * 36 + "/name"
_SESSION = "s" * 330
"""How an input's storage is reached, in its metadata."""


class Node(NamedTuple):
    """A node of Argo's."""

    name: str
    size_bytes: int
    retried: bool = True
    """Whether a stock installation retries it; a loop's group of iterations is no template."""
    own_retries: bool = False
    """Whether the target does."""


def nodes_of(
    pipeline: Json,
    kubernetes: Mapping[str, Json],
    parameters: Json,
    *,
    stock_retries: bool = True,
) -> list[Node]:
    """Returns the nodes of a run that succeeds at the first attempt.

    Args:
      pipeline: the compiled pipeline, KFP's first document.
      kubernetes: what its second says of each executor.
      parameters: the run's.
      stock_retries: whether every template has a retry strategy.
    """
    return [
        each
        for node in _Model(pipeline, kubernetes, parameters).nodes()
        for each in [node] * (2 if node.own_retries or (stock_retries and node.retried) else 1)
    ]


def executor_inputs(pipeline: Json, parameters: Json) -> dict[str, Json]:
    """Returns what each component's tasks are given, as large as KFP makes it."""
    model = _Model(pipeline, {}, parameters)
    names = {name.removeprefix("comp-"): each for name, each in pipeline["components"].items()}
    return {
        name: model.executor_input(name, each) for name, each in names.items() if "dag" not in each
    }


class _Model:
    def __init__(self, pipeline: Json, kubernetes: Mapping[str, Json], parameters: Json) -> None:
        self._pipeline, self._kubernetes = pipeline, kubernetes
        self._parameters = parameters
        self._candidates = parameters["candidate_ids"]

    def nodes(self) -> Iterator[Node]:
        root = self._pipeline["root"]
        yield _node("workflow")
        yield _node("root-driver", root, {"parameterValues": self._parameters})
        yield _node("root")
        yield from self._tasks(root)

    def _tasks(self, component: Json) -> Iterator[Node]:
        for name, task in component["dag"]["tasks"].items():
            if "triggerPolicy" in task:
                yield _node("exit-hook")
            reference = task["componentRef"]["name"]
            inner = self._pipeline["components"][reference]
            if "parameterIterator" in task:
                yield from self._loop(name, task, inner)
            elif "dag" in inner:
                yield _node(f"{name}-driver", inner, task)
                yield _node(name)
                yield from self._tasks(inner)
            else:
                yield from self._container(name, task, inner)

    def _loop(self, name: str, task: Json, component: Json) -> Iterator[Node]:
        yield _node(name)
        yield _node("iteration-driver", component, task)
        yield _node("iterations")._replace(retried=False)
        for _ in self._candidates:
            yield _node("iteration")
            yield _node("iteration-item-driver", component, task)
            yield _node("iteration-item")
            yield from self._tasks(component)

    def _container(self, name: str, task: Json, component: Json) -> Iterator[Node]:
        label = component["executorLabel"]
        container = self._pipeline["deploymentSpec"]["executors"][label]["container"]
        pod = self._kubernetes.get(label, {})
        patch = self._patch(name, component, container, pod)
        labels = list(pod.get("podMetadata", {}).get("labels", {}).items())
        retries = list(task.get("retryPolicy", {}).items())
        yield _node(f"{name}-driver", component, task, container, pod, patch)
        yield _node(name, patch, *labels, *retries)
        executor = _node(f"{name}.executor", patch, *labels, *retries)
        yield executor._replace(own_retries=bool(retries))

    def _patch(self, name: str, component: Json, container: Json, pod: Json) -> str:
        """Returns the patch of an executor's pod, which the driver writes."""
        texts = [_json(self.executor_input(name, component)), _json(component)]
        command = [*texts, *container["command"], *container["args"]]
        rest = {key: value for key, value in container.items() if key not in ("command", "args")}
        return _json([command, rest, pod, "-" * _LAUNCHER_BYTES])

    def executor_input(self, name: str, component: Json) -> Json:
        """Returns what a task is given: its parameters, and addresses for each artifact."""
        inputs = component.get("inputDefinitions", {})
        outputs = component.get("outputDefinitions", {}).get("artifacts", {})
        metadata = {"display_name": "name", "store_session_info": _SESSION}

        def artifacts(definition: Json) -> Sequence[Json]:
            one = {"name": "123", "uri": _ADDRESS, "metadata": metadata, "type": {}}
            return [one] * (len(self._candidates) if definition.get("isArtifactList") else 1)

        given = {"config": f"{name}_config"}
        values = {key: given.get(key, key) for key in inputs.get("parameters", {})}
        return {
            "inputs": {
                "artifacts": {k: artifacts(v) for k, v in inputs.get("artifacts", {}).items()},
                "parameterValues": {
                    key: self._parameters.get(value, "pruned-dynamic_range")
                    for key, value in values.items()
                },
            },
            "outputs": {
                "artifacts": {
                    key: {"name": key, "uri": _ADDRESS, "type": copy.copy(value["artifactType"])}
                    for key, value in [*outputs.items(), ("executor-logs", {"artifactType": {}})]
                },
                "outputFile": _ADDRESS,
            },
        }


def _node(name: str, *texts: Any) -> Node:
    """Returns a node that holds the texts, each as JSON within JSON, as a parameter's value."""
    held = [text if isinstance(text, str) else _json(text) for text in texts]
    return Node(name, _NODE_BYTES + len(_json(held)))


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
