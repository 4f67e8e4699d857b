"""The blessed model on this run's test split, run as the candidates were."""

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from components.common.data.examples import Labelled
from components.common.data.membership import FILE_NAME as MEMBERSHIP_FILE
from components.common.data.membership import Membership
from components.common.data.predictions import Predictions
from components.common.documents.dataset import DatasetManifest
from components.common.documents.decision import BlessedModel
from components.common.documents.release import Release
from components.common.errors import DamagedError, UserError
from components.common.process.machine import usable_cores
from components.common.registry import MODEL_FILE, Registry
from components.common.tasks.reading import device_input, explain_misfit
from components.gate.case import Blessed
from components.gate.entrants import Entrant, align_correct


def find_blessed(registry: Registry) -> BlessedModel | None:
    """Returns the registry's blessed model and the generation of the pointer to it."""
    pointer, generation = registry.blessed()
    if pointer is None:
        return None
    return BlessedModel(
        version=pointer.version,
        model_sha256=pointer.model_sha256,
        candidate_id=pointer.candidate_id,
        generation=generation,
    )


def find_withdrawn(registry: Registry) -> Mapping[str, str]:
    """Returns the models that a rollback left: SHA-256 -> version."""
    pointer, _ = registry.blessed()
    return pointer.withdrawn if pointer is not None else {}


def judge_blessed(
    model: BlessedModel,
    registry: Registry,
    manifest: DatasetManifest,
    membership: Membership,
    *,
    entrants: Sequence[Entrant],
    examples: Iterable[Labelled],
    order: Predictions | None,
    recall: Callable[[str], bytes],
    keep: Callable[[str, bytes], None],
) -> Blessed:
    """Finds which test examples the blessed model gets right, or why that can't be told.

    Args:
      model: the blessed model.
      registry: where its file is.
      manifest: this run's data set.
      membership: its examples.
      entrants: this run's candidates; one may be the blessed model itself.
      examples: of the test split, read only where the model has to run.
      order: the order of examples that the entrants follow.
      recall: returns the bytes that were kept under a name, nothing where none were.
      keep: keeps bytes under a name.
    """
    for entrant in entrants:
        if entrant.model is None or not entrant.finalist:
            continue
        if entrant.model.sha256 == model.model_sha256:
            return Blessed(model=model, correct=entrant.correct)
    try:
        release = registry.release(model.version)
    except UserError as error:
        return Blessed(model=model, correct=None, obstacle=_skipped(model.version, str(error)))
    obstacle = _find_obstacle(release, manifest, trained_on=_read_manifest(registry, model))
    if obstacle or order is None:
        return Blessed(model=model, correct=None, obstacle=obstacle)
    try:
        trained_on = Membership.parse(registry.read(model.version, MEMBERSHIP_FILE))
    except (FileNotFoundError, DamagedError):
        reason = f"{registry.uri(model.version, MEMBERSHIP_FILE)} is missing or damaged"
        return Blessed(model=model, correct=None, obstacle=_skipped(model.version, reason))
    # LiteRT, which takes as long to load as all else here; seldom needed.
    from components.common.lite.inference import predict_examples
    from components.common.lite.litert import LiteRTError
    from components.gate.answers import Answers, name_answers

    name = name_answers(model.model_sha256)
    answers = Answers(recall(name), classes=len(manifest.class_names))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, MODEL_FILE)
        path.write_bytes(registry.read_model(model.version))
        try:
            predictions = predict_examples(
                path,
                examples,
                see=device_input(manifest, path),
                threads=usable_cores(),
                classify=answers.answer,
            )
        except LiteRTError as error:
            return Blessed(model=model, correct=None, obstacle=_skipped(model.version, str(error)))
    keep(name, answers.encode())
    return Blessed(
        model=model,
        correct=align_correct(predictions, order),
        unseen=membership.unseen_by(trained_on, order.ids),
    )


def _find_obstacle(
    release: Release, manifest: DatasetManifest, *, trained_on: DatasetManifest | None
) -> str:
    """Returns why a released model can't be compared on a data set, or nothing."""
    if release.class_names != manifest.class_names:
        return _skipped(
            release.version,
            f"it knows the classes {', '.join(release.class_names)}, the data set now has "
            f"{', '.join(manifest.class_names)}",
        )
    misfit = explain_misfit(release.model, manifest, trained_on=trained_on)
    return _skipped(release.version, misfit) if misfit else ""


def _read_manifest(registry: Registry, model: BlessedModel) -> DatasetManifest | None:
    try:
        return DatasetManifest.parse(registry.read(model.version, DatasetManifest.file_name))
    except (FileNotFoundError, DamagedError):
        return None


def _skipped(version: str, reason: str) -> str:
    return (
        f"The candidates were not compared with the blessed version {version}: {reason}. "
        "They stand against float32 alone."
    )
