"""A candidate that loses more than it may: what is wrong with it, and what mends it.

Whether it does is judged on validation examples, against the predictions of the model that it was
made from; the test split is never looked at. What loses no more than it may, or no more than
chance gives, costs this one look. Otherwise remedies are tried, those that cost a device least
first, until one brings it within what it may lose:

    calibration   on more of the training examples, where values lie outside of their ranges
    float layers  the layer to blame and those that read it, and then the next one to blame
    qat           a short training of the whole model, all of whose layers stay in int8

The best of all is kept, and what was found and tried stands in the candidate's document.
"""

import dataclasses
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from components.common.documents.candidate import FileStepResult, SchemeSpec
from components.common.documents.diagnosis import CAUSES, Diagnosis, Finding, RemedyTried, Tally
from components.common.documents.variant import StepSpec
from components.common.errors import UserError
from components.common.lite.litert import LiteRTError
from components.common.lite.model_files import ModelFileError
from components.common.statistics.exact_tests import superiority_p_value
from components.common.words.figures import listing, points
from components.quantize.config import Remedy
from components.quantize.schemes import SCHEMES
from components.quantize.schemes.scheme import ConversionError

_ALPHA = 0.05
"""A loss that chance gives as often, where the file answers as well as its model, is none."""
_MORE_EXAMPLES = 4
_MOST_FLOAT_ROUNDS = 3
_FLOAT_LAYERS = "int8_selective"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attempt:
    """How a candidate is made, and which remedy that is, in words."""

    scheme: SchemeSpec
    file_steps: tuple[StepSpec, ...]
    remedy: str = ""
    retrained: bool = False
    """Made of the model after a short training for int8."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Made:
    """A `.tflite` file, how it was made, and what each step on the file came to."""

    attempt: Attempt
    data: bytes
    steps: tuple[FileStepResult, ...]


class Workshop(Protocol):
    """What makes candidates of one model, and knows how they do."""

    @property
    def most_examples(self) -> int:
        """How many examples there are to calibrate on."""

    def make(self, attempt: Attempt) -> Made:
        """Makes a file.

        Raises:
          ConversionError: the scheme can't be had.
          LiteRTError: the file does not run.
          ModelFileError: a file step can't work on it.
        """

    def judge(self, data: bytes) -> Tally:
        """Compares a file's answers with its model's."""

    def find(self, data: bytes) -> Finding:
        """Names where a file and its model part."""


def mend(
    workshop: Workshop,
    first: Made,
    *,
    allowed_drop: float,
    remedies: Collection[Remedy],
) -> tuple[Made, Diagnosis | None]:
    """Tries to mend a candidate that loses more than it may.

    Args:
      workshop: of its model.
      first: the candidate as it was asked for.
      allowed_drop: what it may lose, as a share of the examples.
      remedies: those that may be tried.

    Returns:
      The best candidate, and what was found and tried; None where nothing is wrong.
    """
    before = workshop.judge(first.data)
    if not _loses(before, allowed_drop):
        return first, None
    finding = workshop.find(first.data)
    repair = _Repair(workshop, first, before, allowed_drop)
    if "calibration" in remedies:
        repair.calibrate_on_more(finding)
    calibrated = repair.best.attempt
    if "float_layers" in remedies:
        repair.spare_layers(finding)
    if "qat" in remedies and calibrated.scheme.kind == "int8":
        repair.retrain(calibrated)
    kept = repair.best.attempt.remedy or None
    diagnosis = Diagnosis(
        before=before,
        allowed_drop=allowed_drop,
        finding=finding,
        remedies=tuple(repair.tried),
        kept=kept,
        words="",
    )
    words = describe_diagnosis(diagnosis)
    return repair.best, diagnosis.model_copy(update={"words": words})


class _Repair:
    """The remedies so far, and the best candidate among them."""

    def __init__(self, workshop: Workshop, first: Made, before: Tally, allowed_drop: float) -> None:
        self._workshop, self._allowed_drop = workshop, allowed_drop
        self.best, self._tally = first, before
        self.tried: list[RemedyTried] = []

    @property
    def mended(self) -> bool:
        return not _loses(self._tally, self._allowed_drop)

    def attempt(self, attempt: Attempt) -> Made | None:
        """Tries a remedy, unless one before was enough; returns what came of it."""
        if self.mended:
            return None
        try:
            made = self._workshop.make(attempt)
            tally = self._workshop.judge(made.data)
        except (ConversionError, LiteRTError, ModelFileError, UserError) as error:
            tried = RemedyTried(remedy=attempt.remedy, tally=None, failure=str(error))
            self.tried.append(tried)
            return None
        self.tried.append(RemedyTried(remedy=attempt.remedy, tally=tally))
        if tally.drop < self._tally.drop:
            self.best, self._tally = made, tally
        return made

    def calibrate_on_more(self, finding: Finding) -> None:
        """Calibrates on more of the examples, where values may lie outside of their ranges."""
        start = self.best.attempt
        count = start.scheme.settings["calibration_examples"]
        more = min(_MORE_EXAMPLES * count, self._workshop.most_examples)
        if finding.cause in ("saturation", "accumulation") and more > count:
            scheme = _with_settings(start.scheme, calibration_examples=more)
            remedy = f"calibrated on {more} examples"
            self.attempt(dataclasses.replace(start, scheme=scheme, remedy=remedy))

    def spare_layers(self, finding: Finding) -> None:
        """Leaves layers in float: the one to blame, and then the next one that is to blame."""
        start = self.best.attempt
        if start.scheme.kind not in ("int8", _FLOAT_LAYERS):
            return
        spared: tuple[str, ...] = ()
        for _ in range(_MOST_FLOAT_ROUNDS):
            if {*finding.to_spare} <= {*spared}:
                return
            spared = tuple(dict.fromkeys([*spared, *finding.to_spare]))
            made = self.attempt(_with_float_layers(start, spared))
            if made is None or self.mended:
                return
            finding = self._workshop.find(made.data)

    def retrain(self, start: Attempt) -> None:
        """Trains the model for the scheme, with all layers in int8."""
        remedy = "; ".join(filter(None, [start.remedy, "trained on for int8"]))
        self.attempt(dataclasses.replace(start, remedy=remedy, retrained=True))


def _loses(tally: Tally, allowed_drop: float) -> bool:
    chance = superiority_p_value(tally.won, tally.lost)
    return tally.drop > allowed_drop and chance < _ALPHA


def _with_float_layers(start: Attempt, layers: Sequence[str]) -> Attempt:
    before = start.scheme.settings.get("float_layers", ())
    patterns = (*before, *(f"^{re.escape(layer)}$" for layer in layers))
    section = {"calibration_examples": start.scheme.settings["calibration_examples"]}
    scheme = SCHEMES[_FLOAT_LAYERS].specify(section, {"float_layers": patterns})
    words = [start.remedy, f"{listing(layers)} in float32"]
    return dataclasses.replace(start, scheme=scheme, remedy="; ".join(filter(None, words)))


def _with_settings(scheme: SchemeSpec, **settings: Any) -> SchemeSpec:
    changed: Mapping[str, Any] = {**scheme.settings, **settings}
    return scheme.model_copy(update={"settings": changed})


def describe_diagnosis(diagnosis: Diagnosis) -> str:
    """Returns what was found and done, for people, in whole sentences."""
    finding = diagnosis.finding
    sentences = [
        f"As asked for it lost {points(diagnosis.before.drop)} against the model that it was made "
        f"from ({_counts(diagnosis.before)})",
        f"The two part at {finding.layer} ({CAUSES[finding.cause]}): {'; '.join(finding.evidence)}",
        *map(_describe_remedy, diagnosis.remedies),
    ]
    if diagnosis.kept is None:
        sentences.append("No remedy is better, so it is left as it was")
    else:
        sentences.append(f"Kept: {diagnosis.kept}")
    best = min(
        (tried.tally for tried in diagnosis.remedies if tried.tally is not None),
        key=lambda tally: tally.drop,
        default=diagnosis.before,
    )
    if _loses(best, diagnosis.allowed_drop):
        sentences.append(
            f"That is more than the {points(diagnosis.allowed_drop)} allowed here; schemes whose "
            "activations stay in floating point, such as int8_weights, have no ranges to go wrong"
        )
    return "".join(f"{sentence}. " for sentence in sentences).rstrip()


def _describe_remedy(tried: RemedyTried) -> str:
    what = tried.remedy[:1].upper() + tried.remedy[1:]
    if tried.tally is None:
        return f"{what}: not possible, {(tried.failure or '').rstrip('.')}"
    return f"{what}: {points(tried.tally.drop)} ({_counts(tried.tally)})"


def _counts(tally: Tally) -> str:
    return f"{tally.lost} of {tally.examples} validation answers lost, {tally.won} won"
