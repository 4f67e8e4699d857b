import dataclasses
import functools

import pytest

from components.gate.entrants import Entrant
from components.gate.gains import step_gains
from tests.builders.models import MODELS, describe_bundle, make_models, pruning
from tests.components.gate.cases import correct_with, float32, make_entrant

GOOD = correct_with(lost=12, gained=2)

measure = functools.partial(step_gains, allowed_drop=0.01)


def test_each_scheme_is_held_against_float32_of_its_variant_and_pruning_against_dense():
    ids = ("int8", "pruned-float32", "pruned-int8", "pruned-dynamic_range")
    gains = measure([float32(), *(make_entrant(id_, GOOD) for id_ in ids)], MODELS)
    assert [(gain.step, gain.before, gain.after) for gain in gains] == [
        ("int8", "float32", "int8"),
        ("int8", "pruned-float32", "pruned-int8"),
        ("dynamic_range", "pruned-float32", "pruned-dynamic_range"),
        ("pruning", "float32", "pruned-float32"),
        ("pruning", "int8", "pruned-int8"),
    ]


def test_a_step_that_pays_says_what_it_bought():
    after = make_entrant("int8", GOOD, size_bytes=1000, zipped_bytes=800, latency_ms=0.9)
    (gain,) = measure([float32(size_bytes=4000), after], MODELS)
    assert gain.outcome == "paid"
    assert (gain.size_ratio, gain.zipped_ratio, gain.latency_ratio) == (0.25, 0.2, 0.9)
    assert gain.accuracy_change == pytest.approx(-0.01)
    assert gain.message == (
        "int8 pays: int8 is 4.0 times smaller raw, 5.0 times smaller zipped and 10 % faster than "
        "float32; accuracy falls by 1 point."
    )


@pytest.mark.parametrize(
    ("size_bytes", "zipped_bytes", "latency_ms", "paid"),
    [
        (1000, 1000, 1.0, False),
        (990, 990, 0.97, False),
        (1000, 980, 1.0, True),
        (980, 1000, 1.0, True),
        (1000, 1000, 0.95, True),
        (1200, 1200, 1.3, False),
    ],
)
def test_a_step_pays_by_two_percent_of_size_or_five_of_latency(
    size_bytes, zipped_bytes, latency_ms, paid
):
    before = make_entrant("int8", GOOD, size_bytes=1000)
    after = make_entrant(
        "pruned-int8",
        GOOD,
        size_bytes=size_bytes,
        zipped_bytes=zipped_bytes,
        latency_ms=latency_ms,
    )
    (gain,) = measure([before, after], MODELS)
    assert gain.outcome == ("paid" if paid else "bought nothing")
    assert ("bought nothing" in gain.message) is not paid


def test_a_step_that_loses_more_than_it_may_cost_too_much():
    before = make_entrant("float32", GOOD, size_bytes=4000)
    after = make_entrant("int8", correct_with(lost=40, gained=2), size_bytes=1000)
    (gain,) = measure([before, after], MODELS)
    assert gain.outcome == "cost too much"
    assert gain.message.startswith("int8 costs more than it may: int8 is 4.0 times smaller raw")
    assert gain.message.endswith("accuracy falls by 2.8 points, and 1 point may be lost.")
    (unbound,) = step_gains([before, after], MODELS, allowed_drop=None)
    assert unbound.outcome == "paid"


def test_a_step_that_bought_nothing_says_so_and_what_it_cost():
    before = make_entrant("int8", GOOD, size_bytes=1000)
    after = make_entrant("pruned-int8", GOOD, size_bytes=1000, latency_ms=1.6)
    (gain,) = measure([before, after], MODELS)
    assert gain.message == (
        "pruning bought nothing: pruned-int8 is no smaller raw, no smaller zipped and 1.6 times "
        "slower than int8; accuracy is the same. The recipe could do without it."
    )


def test_steps_of_candidates_that_failed_or_were_not_timed_are_left_out():
    failed = Entrant(candidate_id="int8", variant="dense", scheme="int8", failure="It fell over.")
    untimed = dataclasses.replace(make_entrant("float16", GOOD), latency_ms=None)
    assert measure([float32(), failed, untimed], MODELS) == ()


def test_a_variant_is_held_against_its_parent_or_the_nearest_ancestor_that_was_measured():
    """Of three in a chain, the middle one has no int8."""
    distilled = pruning().model_copy(update={"activity": "distillation"})
    models = make_models(
        {
            "dense": describe_bundle(),
            "pruned": describe_bundle(pruning()),
            "small": describe_bundle(distilled),
        },
        {"small": "pruned"},
    )
    of = {"small-float32": ("small", "float32"), "small-int8": ("small", "int8")}
    small = [
        dataclasses.replace(make_entrant(scheme, GOOD), candidate_id=id_, variant=variant)
        for id_, (variant, scheme) in of.items()
    ]
    entrants = [float32(), make_entrant("int8", GOOD), make_entrant("pruned-float32", GOOD), *small]
    gains = measure(entrants, models)
    assert [(gain.step, gain.before, gain.after) for gain in gains if gain.step != "int8"] == [
        ("pruning", "float32", "pruned-float32"),
        ("distillation", "pruned-float32", "small-float32"),
        ("pruning and distillation", "int8", "small-int8"),
    ]


def test_several_steps_of_one_kind_are_named_once() -> None:
    """Of a chain of three, the middle one was only there to make the last of it."""
    bundles = {id_: describe_bundle(pruning()) for id_ in ("most", "pruned")}
    models = make_models({"dense": describe_bundle(), **bundles}, {"pruned": "most"})
    (gain,) = measure([float32(), make_entrant("pruned-float32", GOOD)], models)
    assert (gain.step, gain.before, gain.after) == ("pruning", "float32", "pruned-float32")


def test_file_steps_are_held_against_the_same_conversion_with_fewer_of_them() -> None:
    def converted(scheme: str, *file_steps: str) -> Entrant:
        entrant = make_entrant(scheme, GOOD)
        id_ = "-".join([scheme, *file_steps])
        return dataclasses.replace(entrant, candidate_id=id_, file_steps=file_steps)

    steps = [("int8", "share"), ("int8",), ("int8", "snap4", "share"), ("float16", "share")]
    gains = measure([float32(), *(converted(*each) for each in steps)], MODELS)
    assert [(gain.step, gain.before, gain.after) for gain in gains] == [
        ("share", "int8", "int8-share"),
        ("int8", "float32", "int8"),
        ("snap4", "int8-share", "int8-snap4-share"),
        ("float16 and share", "float32", "float16-share"),
    ]


def test_a_variant_is_held_against_its_parent_with_the_same_steps_on_the_file() -> None:
    ids = {"int8": (), "int8-share": ("share",), "pruned-int8-share": ("share",)}
    entrants = [
        dataclasses.replace(
            make_entrant(id_.removesuffix("-share"), GOOD), candidate_id=id_, file_steps=steps
        )
        for id_, steps in ids.items()
    ]
    gains = measure(entrants, MODELS)
    assert [(gain.step, gain.before, gain.after) for gain in gains] == [
        ("share", "int8", "int8-share"),
        ("pruning", "int8-share", "pruned-int8-share"),
    ]
