"""A scheme as a value: what a candidate is keyed by."""

import pytest

from components.quantize.config import QuantizeConfig
from components.quantize.schemes import SCHEMES

SECTION = {"calibration_examples": 60, "schemes": ["float32"]}


def test_a_scheme_is_its_kind_its_backend_and_what_it_depends_on() -> None:
    assert SCHEMES["int8"].specify(SECTION).model_dump() == {
        "kind": "int8",
        "backend": "tflite_converter",
        "settings": {"calibration_examples": 60},
    }
    assert SCHEMES["float16"].specify(SECTION).settings == {}


@pytest.mark.parametrize(("kind", "depends"), [("float32", False), ("int8", True)])
def test_more_calibration_makes_other_candidates_only_where_a_scheme_calibrates(
    kind: str, depends: bool
) -> None:
    told = [
        QuantizeConfig(calibration_examples=count).with_candidates(["dense"]).for_candidate(kind)
        for count in (60, 61)
    ]
    assert (told[0] != told[1]) is depends


def test_every_candidate_gets_the_steps_on_the_file() -> None:
    config = QuantizeConfig(file_steps=("share",)).with_candidates(["dense", "pruned"])
    assert len(config.candidates) == 6
    for candidate in config.candidates:
        (step,) = config.for_candidate(candidate.id).file_steps
        assert (step.kind, step.settings) == ("share", {})


def test_a_step_named_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="file_steps names a step twice: share, share"):
        QuantizeConfig(file_steps=("share", "share"))
