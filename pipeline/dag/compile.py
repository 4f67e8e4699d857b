"""The DAG for one target, as KFP's intermediate representation.

The YAML depends on the DAG's shape and on the target alone: every value of a recipe is a
parameter. So recipes of one shape share one pipeline version, which its digest names, and
the same input gives the same bytes.
"""

import ast
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from kfp import compiler, dsl, kubernetes

from components.common.digests import text_digest
from pipeline.dag.dag import build_dag
from pipeline.dag.worker_pods import launcher_machine, let_launch
from pipeline.recipe import Compression
from pipeline.runs.leftovers import scratch_folder
from pipeline.target import KubeflowTarget, Machine, Target, VertexTarget

WORKFLOW_ID = "{{workflow.uid}}"
"""Becomes the run's id when KFP starts a run of a schedule, wherever it stands in it."""

# Argo counts it from the first attempt's start and gives up beyond it, so that with KFP's
# default of an hour nothing is retried that ran longer. Vertex takes an hour at most.
_RETRY_WITHIN = {KubeflowTarget: "604800s", VertexTarget: "3600s"}


@dataclasses.dataclass(frozen=True)
class CompiledDag:
    """A pipeline ready for upload."""

    name: str
    yaml: str

    @property
    def digest(self) -> str:
        return text_digest(self.yaml)

    @property
    def version_name(self) -> str:
        return f"{self.name}-{self.digest[:16]}"


def compile_dag(
    *, compressions: Sequence[Compression], target: Target, search_rounds: int = 0
) -> CompiledDag:
    """Compiles the DAG.

    Args:
      compressions: the recipe's.
      target: for which to compile.
      search_rounds: the recipe's; 0 where it doesn't search.

    Returns:
      The pipeline: one YAML document, and a second one with what Kubernetes is told where
      the target is a cluster.
    """

    def place(task: dsl.PipelineTask) -> None:
        machine = target.machine_of(task.component_spec.name)
        if not isinstance(target, KubeflowTarget):
            _request(task, machine, target)
            return
        own = machine if machine.workers == 1 else launcher_machine(machine, target)
        _request(task, own, target)
        _configure_pod(task, own, target)
        if machine.workers > 1:
            let_launch(task, machine, target, _labels(task, target))

    dag = build_dag(
        compressions=compressions,
        search_rounds=search_rounds,
        parallel_candidates=target.parallel_candidates,
        place=place,
    )
    with scratch_folder() as folder:
        path = Path(folder, "pipeline.yaml")
        compiler.Compiler().compile(dag, str(path))
        documents = list(yaml.load_all(path.read_bytes(), Loader=yaml.CSafeLoader))
    _remove_prose(documents[0])
    text = yaml.dump_all(documents, Dumper=yaml.CSafeDumper, allow_unicode=True)
    return CompiledDag(name=dag.name, yaml=text)


def _remove_prose(pipeline: dict[str, Any]) -> None:
    """Removes what only people read: Argo keeps a component's texts in eight nodes of each task.

    Above 1 MB of nodes KFP's view of a run stands still; tests/fakes/workflow_model.py counts.
    """
    for component in pipeline["components"].values():
        for definitions in ("inputDefinitions", "outputDefinitions"):
            for kind in component.get(definitions, {}).values():
                for definition in kind.values():
                    definition.pop("description", None)
    for executor in pipeline["deploymentSpec"]["executors"].values():
        # `sh -ec PROGRAM SOURCE`, in which the program writes the source and runs it.
        shell, options, program, source = executor["container"]["command"]
        program = "\n".join(" ".join(line.split()) for line in program.splitlines() if line)
        executor["container"]["command"] = [shell, options, program, _without_docstring(source)]


def _without_docstring(source: str) -> str:
    """Returns a function's source without its docstring, and otherwise as it was written."""
    (function,) = (each for each in ast.parse(source).body if isinstance(each, ast.FunctionDef))
    lines = source.splitlines()
    if ast.get_docstring(function) is not None:
        end = function.body[0].end_lineno
        del lines[function.body[0].lineno - 1 : end]
    return "\n".join(line for line in lines if line)


def _request(task: dsl.PipelineTask, machine: Machine, target: Target) -> None:
    """States image, resources and retries: what KFP itself has, on all its backends."""
    task.set_container_image(target.image_of(task.container_spec.image))
    task.set_cpu_limit(machine.cpu_limit or machine.cpu)
    task.set_memory_limit(machine.memory_limit or machine.memory)
    if machine.accelerator is not None:
        task.set_accelerator_type(machine.accelerator.type)
        task.set_accelerator_limit(machine.accelerator.count)
    if machine.retries.count:
        task.set_retry(
            num_retries=machine.retries.count,
            backoff_duration=f"{machine.retries.backoff_s}s",
            backoff_factor=machine.retries.factor,
            backoff_max_duration=_RETRY_WITHIN[type(target)],
        )
    for name, value in sorted(machine.environment.items()):
        task.set_env_variable(name, value)


def _configure_pod(task: dsl.PipelineTask, machine: Machine, target: KubeflowTarget) -> None:
    """States what only Kubernetes knows; Vertex picks a machine by the limits alone."""
    task.set_cpu_request(machine.cpu).set_memory_request(machine.memory)
    # A user alone would be in root's group: the image's own group belongs to its own user.
    user = target.run_as_user
    kubernetes.set_security_context(task, run_as_user=user, run_as_group=user, run_as_non_root=True)
    if machine.timeout_s is not None:
        kubernetes.set_timeout(task, machine.timeout_s)
    if machine.shared_memory is not None:
        kubernetes.empty_dir_mount(
            task,
            volume_name="shared-memory",
            mount_path="/dev/shm",
            medium="Memory",
            size_limit=machine.shared_memory,
        )
    for volume in target.volumes:
        kubernetes.mount_pvc(task, volume.claim, volume.path, volume.sub_path)
    if target.image_pull_secrets:
        kubernetes.set_image_pull_secrets(task, list(target.image_pull_secrets))
    for variable, secret in sorted(machine.secrets.items()):
        kubernetes.use_secret_as_env(task, secret.name, {secret.key: variable})
    for label, value in sorted(_labels(task, target).items()):
        kubernetes.add_pod_label(task, label, value)
    for label, value in sorted(machine.node_selector.items()):
        kubernetes.add_node_selector(task, label, value)
    for toleration in machine.tolerations:
        kubernetes.add_toleration(
            task,
            key=toleration.key,
            operator=toleration.operator,
            value=toleration.value,
            effect=toleration.effect,
        )


def _labels(task: dsl.PipelineTask, target: KubeflowTarget) -> Mapping[str, str]:
    return {
        "app.kubernetes.io/name": "litesmith",
        "app.kubernetes.io/component": task.component_spec.name,
        **target.labels,
    }
