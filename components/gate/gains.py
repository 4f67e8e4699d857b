"""What each compression step bought: it must pay, and may not cost more than is allowed."""

from collections.abc import Iterator, Mapping, Sequence

from components.common.documents.decision import Outcome, StepGain
from components.common.documents.models import Models
from components.common.words.figures import listing, percent, points
from components.gate.entrants import Entrant

SMALLER = 0.98
"""A step paid when the file, raw or zipped, is at least 2 % smaller."""
FASTER = 0.95
"""Or when it is at least 5 % faster; p50 of one model wavers by less within a session."""

_VERBS: Mapping[Outcome, str] = {
    "paid": "pays",
    "bought nothing": "bought nothing",
    "cost too much": "costs more than it may",
}


def step_gains(
    entrants: Sequence[Entrant], models: Models, *, allowed_drop: float | None
) -> tuple[StepGain, ...]:
    """Measures every requested step of which both ends were made and measured.

    What is smaller or faster did not pay where its accuracy falls by more than all candidates may
    lose.

    Steps on the file are held against the same model and scheme without them, a scheme against
    float32 of the same variant, and the steps of a variant against its nearest ancestor under the
    same scheme and file steps.
    """
    measured = [
        entrant
        for entrant in entrants
        if entrant.failure is None and entrant.latency_ms is not None
    ]
    return tuple(
        _step_gain(step, before, after, allowed_drop)
        for step, before, after in _steps(measured, models)
    )


def _steps(measured: Sequence[Entrant], models: Models) -> Iterator[tuple[str, Entrant, Entrant]]:
    for after in measured:
        if (before := _less_converted(after, measured)) is not None:
            done = [after.scheme] if before.scheme != after.scheme else []
            done += [step for step in after.file_steps if step not in before.file_steps]
            yield listing(done), before, after
    by_kind = {(each.variant, each.scheme, each.file_steps): each for each in measured}
    for (variant, scheme, file_steps), after in by_kind.items():
        alike = (by_kind.get((each, scheme, file_steps)) for each in models.ancestors(variant))
        if (before := next(filter(None, alike), None)) is not None:
            between = models.steps_between(before.variant, variant)
            yield listing(list(dict.fromkeys(step.activity for step in between))), before, after


def _less_converted(after: Entrant, measured: Sequence[Entrant]) -> Entrant | None:
    """Returns the candidate of the same variant that is nearest before one.

    It has fewer steps on its file, or is float32 with no others.
    """
    own = set(after.file_steps)
    siblings = [each for each in measured if each.variant == after.variant]
    fewer = [e for e in siblings if e.scheme == after.scheme and set(e.file_steps) < own]
    floats = [e for e in siblings if e.scheme == "float32" and set(e.file_steps) <= own]
    if after.scheme == "float32":
        floats = []
    return max(fewer or floats, key=lambda each: len(each.file_steps), default=None)


def _step_gain(step: str, before: Entrant, after: Entrant, allowed_drop: float | None) -> StepGain:
    assert before.latency_ms is not None and after.latency_ms is not None
    size_ratio = after.measured_model.size_bytes / before.measured_model.size_bytes
    zipped_ratio = after.measured_model.zipped_bytes / before.measured_model.zipped_bytes
    latency_ratio = after.latency_ms / before.latency_ms
    change = after.measured_accuracy.value - before.measured_accuracy.value
    bought = min(size_ratio, zipped_ratio) <= SMALLER or latency_ratio <= FASTER
    outcome: Outcome = "paid" if bought else "bought nothing"
    # Shares of the same examples, which floats have to some 16 digits.
    if bought and allowed_drop is not None and -change > allowed_drop + 1e-9:
        outcome = "cost too much"
    effects = listing(
        [
            _effect(size_ratio, "smaller", "larger", SMALLER) + " raw",
            _effect(zipped_ratio, "smaller", "larger", SMALLER) + " zipped",
            _effect(latency_ratio, "faster", "slower", FASTER),
        ]
    )
    message = (
        f"{step} {_VERBS[outcome]}: {after.candidate_id} is {effects} than "
        f"{before.candidate_id}; accuracy {_accuracy(change)}."
    )
    if outcome == "bought nothing":
        message += " The recipe could do without it."
    if outcome == "cost too much":
        message = f"{message.removesuffix('.')}, and {points(allowed_drop or 0)} may be lost."
    return StepGain(
        step=step,
        before=before.candidate_id,
        after=after.candidate_id,
        size_ratio=size_ratio,
        zipped_ratio=zipped_ratio,
        latency_ratio=latency_ratio,
        accuracy_change=change,
        outcome=outcome,
        message=message,
    )


def _accuracy(change: float) -> str:
    if change == 0:
        return "is the same"
    return f"{'rises' if change > 0 else 'falls'} by {points(abs(change))}"


def _effect(ratio: float, less: str, more: str, threshold: float) -> str:
    """Returns `3.4 times smaller`, `12 % slower` or `no smaller`."""
    if threshold < ratio < 1 / threshold:
        return f"no {less}"
    factor, word = (1 / ratio, less) if ratio < 1 else (ratio, more)
    if factor >= 1.5:
        return f"{factor:.1f} times {word}"
    share = 1 - ratio if ratio < 1 else ratio - 1
    return f"{percent(share, digits=0)} {word}"
