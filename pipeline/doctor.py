"""Checks what a run will need, before anything is rented: the data first, in seconds.

Each check ends as a Finding: fine, a warning where it could not be told, or a failure with
its remedy. The checks do not depend on one another, so that one call shows all troubles. What
takes minutes, the trial of the model, is made where it is asked for.
"""

import dataclasses
import functools
import importlib.metadata
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, get_args

from packaging.requirements import Requirement
from urllib3.exceptions import HTTPError

from components.common.documents import SPLITS, Candidate, TaskResult
from components.common.errors import UserError
from components.common.jobset import GROUP, PLURAL, VERSION
from components.common.run_context import RunContext
from components.common.storage import open_storage
from components.common.surveys import Survey
from pipeline.container_registry import image_exists
from pipeline.recipe import LOCATIONS, WORDS_FOR_WEIGHTS, Recipe
from pipeline.sufficiency import check_sufficiency
from pipeline.target import (
    TRAINING_STAGES,
    KubeflowTarget,
    Machine,
    StageName,
    Target,
)
from pipeline.trial_recipe import RECIPE_FILE, trial_context, trial_recipe

_TRIAL_TIMEOUT_S = 900
_SURVEY_TIMEOUT_S = 900
_LOCAL_EXTRAS = ("beam", "train", "lite")
_ON_A_VOLUME = "on a volume of the cluster's, which can't be seen from here"


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
      check: a few words that name it.
      state: a warning does not fail the doctor: what it says could not be told from here, or
        was not asked for.
      message: figures, or what is wrong and the remedy.
      seconds: which the check took.
    """

    check: str
    state: Literal["fine", "warning", "failed", "not tried"]
    message: str = ""
    seconds: float | None = None


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
            "model", "warning", "not tried here: pip install 'litesmith[local]' to try it"
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
    if target is None and recipe.data.sample is None:
        yield from survey_data(recipe, data_root=data_root, registry=registry)
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
    for section, key in LOCATIONS:
        location = getattr(getattr(recipe, section), key)
        if location is None or location in WORDS_FOR_WEIGHTS:
            continue
        if not is_here and "://" not in location:
            yield Finding(f"{section}.{key}", "warning", f"{location}: {_ON_A_VOLUME}")
        else:
            yield _judged(f"{section}.{key}", functools.partial(_look_at, location), location)


def survey_data(recipe: Recipe, *, data_root: str, registry: str) -> Iterator[Finding]:
    """Looks at every file of the source, as far as a run does before it decodes the first."""
    context = RunContext(
        run_id="doctor", recipe_name=recipe.name, data_root=data_root, registry=registry
    )
    surveyor = [sys.executable, "-P", "-m", "components.preprocess.survey"]
    try:
        process = subprocess.run(
            [*surveyor, recipe.data.to_json(), context.to_json()],
            capture_output=True,
            timeout=_SURVEY_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        minutes = _SURVEY_TIMEOUT_S // 60
        yield Finding("pictures", "warning", f"not all were read within {minutes} minutes")
        return
    printed = process.stdout if process.returncode == 0 else process.stderr
    lines = printed.decode(errors="replace").strip().splitlines()
    last = lines[-1] if lines else f"exit {process.returncode}"
    if process.returncode != 0:
        yield Finding("pictures", "failed", last)
        return
    yield from judge_survey(Survey.model_validate_json(last), recipe)


def judge_survey(survey: Survey, recipe: Recipe) -> Iterator[Finding]:
    """Yields what preprocess and validate would say of a source."""
    if survey.problem is not None:
        yield Finding("pictures", "failed", survey.problem)
        return
    splits = ", ".join(f"{survey.in_split(split)} {split}" for split in SPLITS)
    classes = len(survey.examples["train"])
    yield Finding(
        "pictures",
        "fine",
        f"{splits}, of {classes} classes; {survey.rejected} would be left out",
    )
    needed = recipe.least_test_examples()
    if survey.in_split("test") < needed:
        yield Finding(
            "test split",
            "failed",
            f"{survey.in_split('test')} examples, and the budgets take {needed} to prove; give "
            "more pictures, a greater share in data.splits.test, or a wider budget",
        )
    action = recipe.validation.missing_class
    for split, names in survey.missing_classes().items():
        if action != "ignore":
            yield Finding(
                f"{split} split",
                "failed" if action == "stop" else "warning",
                f"has no example of {', '.join(names[:10])}{' …' * (len(names) > 10)}; give more "
                "pictures of them, or a greater share to the split",
            )


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
    from pipeline.connection import connect

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
    from pipeline.argo import CONFIG_MAP, controllers_namespace, repeats_groups

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
        for stage in get_args(StageName)
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

    from pipeline.pods import connect_to_cluster

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

    from pipeline.pods import connect_to_cluster

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


def try_model(recipe: Recipe) -> Iterator[Finding]:
    """Builds the model with random weights and tries every step of compression on it."""
    with tempfile.TemporaryDirectory(prefix="litesmith-doctor-") as name:
        folder = Path(name)
        trial = trial_recipe(recipe, folder)
        (folder / RECIPE_FILE).write_text(trial.model_dump_json(by_alias=True))
        process = subprocess.run(
            [sys.executable, "-P", "-m", "pipeline.trial", name],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TRIAL_TIMEOUT_S,
            check=False,
        )
        findings = list(_read_trial(trial, folder))
    yield from findings
    if process.returncode != 0 and all(finding.state == "fine" for finding in findings):
        lines = process.stdout.decode(errors="replace").strip().splitlines()
        yield Finding("trial", "failed", lines[-1] if lines else f"exit {process.returncode}")


def _read_trial(recipe: Recipe, folder: Path) -> Iterator[Finding]:
    """Yields what became of each step of a trial, as far as it came."""
    context = trial_context(folder)
    tasks = Path(context.data_root, context.run_folder(), "tasks")
    results = {
        result.task: result
        for path in tasks.glob("*.json")
        for result in [TaskResult.parse(path.read_bytes())]
    }
    for task in ("preprocess", "finetune", "prune"):
        if task in results:
            yield _finding_of(task, results[task])
    for id_ in recipe.candidate_ids():
        made = folder / f"candidate{id_}"
        if made.is_dir() and (failure := Candidate.read(made).failure) is not None:
            yield Finding(id_, "failed", f"{failure}; leave it out of the recipe's schemes")
        elif (result := results.get(f"evaluate[{id_}]")) is not None:
            yield _finding_of(id_, result)


def _finding_of(check: str, result: TaskResult) -> Finding:
    if result.status == "failed":
        return Finding(check, "failed", result.message, result.seconds)
    return Finding(check, "fine", seconds=result.seconds)


def _judged(check: str, examination: Callable[[], str | None], message: str = "") -> Finding:
    """Runs a check that raises a UserError, which says the remedy, where it fails."""
    try:
        return Finding(check, "fine", examination() or message)
    except UserError as error:
        return Finding(check, "failed", str(error))
