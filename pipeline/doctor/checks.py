"""Checks what a run will need, before anything is rented: the data first, in seconds.

Each check ends as a Finding, a failure with its remedy. The checks do not depend on one another,
so that one call shows every problem. What takes minutes, the trial of the model, runs only where
it is asked for.
"""

import dataclasses
import functools
import importlib.metadata
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from packaging.requirements import Requirement
from urllib3.exceptions import HTTPError

from components.common.errors import UserError
from components.common.storage import open_storage
from components.common.workers.jobset import GROUP, PLURAL, VERSION
from pipeline.doctor.rehearsals import Finding, survey_data, try_model
from pipeline.kubeflow.container_registry import image_exists
from pipeline.recipe import Recipe, stated_locations
from pipeline.recipe.sufficiency import check_sufficiency
from pipeline.stages import TASKS, TRAINING_STAGES
from pipeline.target import KubeflowTarget, Machine, Target

_LOCAL_EXTRAS = ("beam", "train", "lite")
_ON_A_VOLUME = "on a volume of the cluster's, which can't be seen from here"


def examine(
    recipe: Recipe,
    *,
    data_root: str,
    registry: str,
    target: Target | None = None,
    trial: bool = False,
) -> Iterator[Finding]:
    """Yields the findings of all checks, each as soon as it is made; see `examine_places`.

    Args:
      recipe: what is to be run.
      data_root: as for `examine_places`, like the next two.
      registry: likewise.
      target: likewise.
      trial: whether the model is tried as well, which takes minutes.
    """
    places = examine_places(recipe, data_root=data_root, registry=registry, target=target)
    yield from _timed(places)
    if not trial:
        yield Finding(
            "model",
            "not tried",
            "--trial builds it with random weights and makes every candidate of it: one to five "
            "minutes of processor time",
        )
    elif target is None or _is_installed(_LOCAL_EXTRAS):
        yield from _timed(try_model(recipe))
    else:
        yield Finding(
            "model",
            "warning",
            "not tried here; to try it, install requirements/local.lock, as docs/install.md says",
        )


def _timed(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Adds to each finding how long it took, where it does not say so itself."""
    started = time.monotonic()
    for finding in findings:
        seconds = finding.seconds
        if seconds is None:
            seconds = time.monotonic() - started
        yield dataclasses.replace(finding, seconds=seconds)
        started = time.monotonic()


def examine_places(
    recipe: Recipe, *, data_root: str, registry: str, target: Target | None = None
) -> Iterator[Finding]:
    """Yields the findings of the checks that take seconds: all but the trial of the model.

    Args:
      recipe: what is to be run.
      data_root: where runs keep what they make; the target's own where there is one.
      registry: where models are published; likewise.
      target: where it is to be run; this machine where None.
    """
    yield check_libraries(_LOCAL_EXTRAS if target is None else ("cluster",))
    yield from check_data(recipe, is_here=target is None)
    if target is None:
        yield from survey_data(recipe, registry=registry)
    needed = f"{recipe.least_test_examples()} test examples are needed"
    yield _judged("budgets", lambda: check_sufficiency(recipe), needed)
    if target is not None:
        data_root, registry = target.data_root, target.registry
    for check, root in (("data root", data_root), ("registry", registry)):
        if target is None or "://" in root:
            yield check_writable(check, root)
        else:
            yield Finding(check, "warning", f"{root}: {_ON_A_VOLUME}")
    if target is not None:
        yield from check_images(target)
    if isinstance(target, KubeflowTarget):
        yield check_host(target)
        yield check_retries(target)
        yield from check_accelerators(target)
        yield from check_workers(target)


def check_libraries(extras: Iterable[str]) -> Finding:
    """Checks Python's and the libraries' versions against litesmith's own requirements."""
    version = ".".join(map(str, sys.version_info[:3]))
    wrong = list(_wrong_libraries(extras))
    if wrong:
        return Finding("libraries", "failed", "; ".join(wrong) + "; install from the locks")
    return Finding("libraries", "fine", f"Python {version}")


def _wrong_libraries(extras: Iterable[str]) -> Iterator[str]:
    for extra in ("", *extras):
        for line in importlib.metadata.requires("litesmith") or ():
            requirement = Requirement(line)
            applies = requirement.marker is None or requirement.marker.evaluate({"extra": extra})
            if not applies or requirement.name == "litesmith":
                continue
            try:
                found = importlib.metadata.version(requirement.name)
            except importlib.metadata.PackageNotFoundError:
                yield f"{requirement.name} is not installed"
                continue
            if not requirement.specifier.contains(found, prereleases=True):
                yield f"{requirement.name} is {found}, not {requirement.specifier}"


def _is_installed(extras: Iterable[str]) -> bool:
    return not list(_wrong_libraries(extras))


def check_data(recipe: Recipe, *, is_here: bool = True) -> Iterator[Finding]:
    """Checks that each location of the recipe holds something.

    Args:
      recipe: with its locations as the tasks will see them.
      is_here: whether paths are this machine's, not those of a cluster's volume.
    """
    for section, key, location in stated_locations(recipe):
        if not is_here and "://" not in location:
            yield Finding(f"{section}.{key}", "warning", f"{location}: {_ON_A_VOLUME}")
        else:
            yield _judged(f"{section}.{key}", functools.partial(_look_at, location), location)


def _look_at(location: str) -> None:
    if "://" not in location:
        if not Path(location).exists():
            raise UserError(f"{location} does not exist on this machine")
        return
    root, _, name = location.rpartition("/")
    if next(iter(open_storage(root).list(name)), None) is None:
        raise UserError(f"{location}: nothing is there; check the address")


def check_writable(check: str, root: str) -> Finding:
    """Writes, reads and removes a small object below a root."""

    def write() -> None:
        storage, name, data = open_storage(root), f".doctor-{uuid.uuid4().hex}", b"litesmith"
        try:
            storage.write(name, data)
            if storage.read(name) != data:
                raise UserError(f"{root}: what was written did not come back the same")
            storage.delete(name)
        except OSError as error:
            raise UserError(f"{root}: can't be written ({error}); choose another place") from error

    return _judged(check, write, root)


def check_images(target: Target) -> Iterator[Finding]:
    """Asks the registries whether the target's images exist."""
    for name, image in target.images.model_dump().items():
        existence, reason = image_exists(image)
        if existence == "exists":
            yield Finding(f"image {name}", "fine", image)
        elif existence == "missing":
            yield Finding(f"image {name}", "failed", f"{reason}; build and push it (images/)")
        else:
            yield Finding(f"image {name}", "warning", f"{image}: {reason}")


def check_host(target: KubeflowTarget) -> Finding:
    """Reaches Kubeflow Pipelines and asks it something that takes permission."""
    from pipeline.kubeflow.connection import connect

    check = "Kubeflow Pipelines"
    try:
        with connect(target) as api:
            api.call(api.client.list_runs, page_size=1, namespace=api.namespace)
            if warnings := list(api.warnings()):
                return Finding(check, "warning", "; ".join(warnings))
            return Finding(check, "fine", f"{api.host}, version {api.server_version}")
    except UserError as error:
        return Finding(check, "failed", str(error))


def check_retries(target: KubeflowTarget) -> Finding:
    """Looks whether Argo retries more than litesmith asks it to."""
    from pipeline.kubeflow.argo import CONFIG_MAP, controllers_namespace, repeats_groups

    try:
        if not repeats_groups(target, os.environ):
            return Finding("retries", "fine", "Argo retries what the target says")
    except UserError as error:
        return Finding("retries", "warning", f"can't be looked at from here: {error}")
    return Finding(
        "retries",
        "warning",
        f"{controllers_namespace(target)}/{CONFIG_MAP}: Argo retries groups of tasks and KFP's "
        "drivers too, so that attempts multiply and a run can fail for it; give retryStrategy "
        "under templateDefaults the limit 0 (docs/cluster.md has the command)",
    )


def check_accelerators(target: KubeflowTarget) -> Iterator[Finding]:
    """Looks for nodes that have what the stages ask for."""
    wanted = {
        stage: machine
        for stage in TASKS
        if (machine := target.machine_of(stage)).accelerator is not None
    }
    if not wanted:
        return
    nodes = _nodes(target)
    for stage, machine in wanted.items():
        check = f"accelerator of {stage}"
        if isinstance(nodes, str):
            yield Finding(check, "warning", f"nodes can't be listed from here: {nodes}")
        elif any(fits(machine, labels, allocatable) for labels, allocatable in nodes):
            yield Finding(check, "fine", _describe(machine))
        else:
            yield Finding(
                check,
                "failed",
                f"no node has {_describe(machine)}; add a node pool, or change the target "
                "(an autoscaled pool of size 0 shows no node: then pass this over)",
            )


Node = tuple[Mapping[str, str], Mapping[str, str]]
"""Labels and allocatable resources."""


def _nodes(target: KubeflowTarget) -> list[Node] | str:
    """Returns the cluster's nodes, or why they can't be listed."""
    import kubernetes

    from pipeline.kubeflow.pods import connect_to_cluster

    try:
        core = kubernetes.client.CoreV1Api(connect_to_cluster(target, os.environ))
        items = core.list_node(_request_timeout=10).items
    except (kubernetes.config.ConfigException, kubernetes.client.ApiException) as error:
        return str(getattr(error, "reason", None) or error)
    except (OSError, HTTPError) as error:
        return str(error)
    return [(item.metadata.labels or {}, item.status.allocatable or {}) for item in items]


def fits(machine: Machine, labels: Mapping[str, str], allocatable: Mapping[str, str]) -> bool:
    accelerator = machine.accelerator
    has_labels = machine.node_selector.items() <= labels.items()
    if accelerator is None:
        return has_labels
    return has_labels and int(allocatable.get(accelerator.type, "0")) >= accelerator.count


def check_workers(target: KubeflowTarget) -> Iterator[Finding]:
    """Looks whether JobSet is there, and whether the run's account may use it."""
    import kubernetes

    from pipeline.kubeflow.pods import connect_to_cluster

    if not any(target.machine_of(stage).workers > 1 for stage in TRAINING_STAGES):
        return
    account = target.service_account
    review = {
        "metadata": {"namespace": target.namespace},
        "spec": {
            "user": f"system:serviceaccount:{target.namespace}:{account}",
            "resourceAttributes": {
                "namespace": target.namespace,
                "group": GROUP,
                "resource": PLURAL,
                "verb": "create",
            },
        },
    }
    try:
        api = connect_to_cluster(target, os.environ)
        jobsets = kubernetes.client.CustomObjectsApi(api)
        jobsets.get_api_resources(GROUP, VERSION, _request_timeout=10)
        reviews = kubernetes.client.AuthorizationV1Api(api)
        ask = reviews.create_namespaced_local_subject_access_review
        is_allowed = ask(target.namespace, review, _request_timeout=10).status.allowed
    except kubernetes.client.ApiException as error:
        if error.status == 404:
            yield Finding("workers", "failed", f"no JobSet ({GROUP}/{VERSION}) here; install it")
        else:
            yield Finding("workers", "warning", f"can't be looked at from here: {error.reason}")
    except (kubernetes.config.ConfigException, OSError, HTTPError) as error:
        yield Finding("workers", "warning", f"can't be looked at from here: {error}")
    else:
        if is_allowed:
            yield Finding("workers", "fine", f"{account} may create JobSets")
        else:
            message = f"{account} may not create JobSets in {target.namespace}"
            yield Finding("workers", "failed", f"{message}; apply manifests/components/launcher")


def _describe(machine: Machine) -> str:
    accelerator = machine.accelerator
    assert accelerator is not None
    labels = ", ".join(f"{key}={value}" for key, value in machine.node_selector.items())
    return f"{accelerator.count} {accelerator.type}" + (f" and {labels}" if labels else "")


def _judged(check: str, examination: Callable[[], str | None], message: str = "") -> Finding:
    """Runs a check that raises a UserError, which says the remedy, where it fails."""
    try:
        return Finding(check, "fine", examination() or message)
    except UserError as error:
        return Finding(check, "failed", str(error))
