"""The shell of rung: a proposed variant becomes a trial, by the stages that make and judge it."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from components.common.digests import canonical_json
from components.common.documents.candidate import Candidate, CandidateSpec
from components.common.documents.dataset import DatasetManifest, SplitExamples
from components.common.documents.evaluation import Evaluation
from components.common.documents.ladder import (
    NOTHING,
    Ladder,
    Proposal,
    RankedCandidate,
    Trial,
    Trials,
)
from components.common.documents.models import ModelEntry, Models
from components.common.documents.record import TaskResult
from components.common.documents.variant import DENSE, StepSpec, Variant
from components.common.errors import BAD_INPUT, GivenUp
from components.common.run_context import RunContext
from components.common.shell.store import Store
from components.compress import stage as compress
from components.compress.config import CompressConfig
from components.compress.steps import STEPS
from components.evaluate import stage as evaluate
from components.evaluate.config import EvaluateConfig
from components.quantize import stage as quantize
from components.quantize.config import QuantizeConfig


def run(
    *,
    dataset: Path,
    models: Path,
    variant_id: str,
    quantize_config: str,
    evaluate_config: str,
    context: str,
    trial: Path,
) -> None:
    """Makes one proposed variant and its candidates, and ranks these on validation.

    The dense model is there already: of it, the candidates are made that the recipe states.
    """
    trial.mkdir(parents=True, exist_ok=True)
    if variant_id == NOTHING:
        Trials().write(trial)
        return
    told = QuantizeConfig.from_json(quantize_config)
    proposal = _find_proposal(models, variant_id, dense=told.candidates)
    with tempfile.TemporaryDirectory() as folder:
        made = models
        if proposal.variant.parent is not None:
            made = Path(folder, "models")
            lost = _compress(proposal, dataset, models, context=context, made=made)
            if lost is not None:
                Trials(trials=(lost,)).write(trial)
                return
        for spec in proposal.candidates:
            place = Path(folder, spec.id)
            quantize.run(
                dataset=dataset,
                models=made,
                candidate_id=spec.id,
                config=told.model_copy(update={"candidates": proposal.candidates}).to_json(),
                context=context,
                candidate=place / "candidate",
                scratch=Path(folder),
            )
            evaluate.run(
                dataset=dataset,
                models=made,
                candidate=place / "candidate",
                candidate_id=spec.id,
                config=_on_validation(evaluate_config),
                context=context,
                evaluation=place / "evaluation",
                scratch=Path(folder),
            )
        known = Models.read(made)
        known.write(trial)
        test = DatasetManifest.read(dataset).splits["test"]
        entry = known.entry(variant_id)
        found = _describe_trial(proposal, entry, Path(folder), test=test, context=context)
        Trials(trials=(found,)).write(trial)


def _compress(
    proposal: Proposal, dataset: Path, models: Path, *, context: str, made: Path
) -> Trial | None:
    """Makes a variant; returns the trial where its steps don't fit the model or it is given up."""
    variant = proposal.variant
    try:
        compress.run(
            dataset=dataset,
            models=models,
            variant_id=variant.id,
            config=_settle(variant).to_json(),
            context=context,
            compressed=made,
            required_accuracy=proposal.required_accuracy,
        )
    except GivenUp as end:
        return Trial(proposal=proposal, examples=0, training_s=end.training_s, failure=str(end))
    except SystemExit as end:
        if end.code != BAD_INPUT:
            raise
        run = RunContext.model_validate_json(context)
        name = f"{run.run_folder()}/tasks/{compress.STAGE.name}[{variant.id}].json"
        failure = TaskResult.parse(run.data().read(name)).message
        return Trial(proposal=proposal, examples=0, training_s=0.0, failure=failure)
    return None


def _find_proposal(models: Path, variant_id: str, *, dense: Iterable[CandidateSpec]) -> Proposal:
    if variant_id == DENSE:
        variant = Variant(id=DENSE, parent=None)
        return Proposal(variant=variant, rung=DENSE, level=0.0, candidates=tuple(dense))
    proposals = Ladder.read(models).proposals
    (own,) = (one for one in proposals if one.variant.id == variant_id)
    return own


def _settle(variant: Variant) -> CompressConfig:
    """Returns a variant's configuration with the defaults of its steps filled in.

    So its key is that of a variant which a recipe declares.
    """
    steps = tuple(map(_fill_in, variant.steps))
    return CompressConfig(variants=(variant.model_copy(update={"steps": steps}),))


def _fill_in(step: StepSpec) -> StepSpec:
    settings = STEPS[step.kind].Settings.model_validate_json(canonical_json(step.settings))
    return step.model_copy(update={"settings": settings.model_dump(mode="json")})


def _on_validation(config: str) -> str:
    own = EvaluateConfig.from_json(config)
    return own.model_copy(update={"split": "validation"}).to_json()


def _describe_trial(
    proposal: Proposal, entry: ModelEntry, folder: Path, *, test: SplitExamples, context: str
) -> Trial:
    ranked, examples = [], 0
    made = [(entry.stored.stage, entry.stored.key)] if proposal.epochs else []
    for spec in proposal.candidates:
        place = folder / spec.id
        evaluation = Evaluation.read(place / "evaluation")
        candidate = Candidate.read(place / "candidate")
        made.append((candidate.lineage.stage, candidate.lineage.key))
        ranked.append(_rank(candidate, evaluation, place))
        examples = max(examples, evaluation.examples)
    return Trial(
        proposal=proposal,
        examples=examples,
        test_examples=test.examples,
        training_s=_training_s(*made, context=context),
        candidates=tuple(ranked),
    )


def _rank(candidate: Candidate, evaluation: Evaluation, place: Path) -> RankedCandidate:
    from components.common.data.predictions import read_evaluation_predictions
    from components.common.statistics.metrics import predicted_classes

    id_, scheme = candidate.candidate_id, candidate.scheme.kind
    if candidate.model is None or evaluation.failure is not None:
        failure = candidate.failure or evaluation.failure
        return RankedCandidate(candidate_id=id_, scheme=scheme, failure=failure)
    predictions = read_evaluation_predictions(place / "evaluation")
    right = predicted_classes(predictions.probabilities) == predictions.labels
    in_order = right[predictions.ids.argsort(kind="stable")]
    bits = sum(1 << place for place, is_right in enumerate(in_order.tolist()) if is_right)
    return RankedCandidate(
        candidate_id=id_,
        scheme=scheme,
        size_bytes=candidate.model.size_bytes,
        zipped_bytes=candidate.model.zipped_bytes,
        xz_bytes=candidate.model.xz_bytes,
        zstd_bytes=candidate.model.zstd_bytes,
        macs=candidate.model.macs,
        right=f"{bits:x}",
    )


def _training_s(*made: tuple[str, str], context: str) -> float:
    """Returns what trainings took when a variant and its candidates were made, as the store has it.

    Args:
      made: the stages and keys; a candidate was trained where that was the remedy.
      context: canonical JSON of RunContext.
    """
    store = Store(RunContext.model_validate_json(context).data())
    records = [store.find_record(stage, key) for stage, key in made]
    return sum(one.measurements.get("training_s", 0.0) for one in records if one is not None)
