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


def test_a_scheme_is_keyed_by_what_is_stated_of_it() -> None:
    spec = SCHEMES["int8_selective"].specify(SECTION, {"float_layers": ["^head$", "stem"]})
    assert spec.model_dump() == {
        "kind": "int8_selective",
        "backend": "litert_quantizer",
        "settings": {"calibration_examples": 60, "float_layers": ["^head$", "stem"]},
    }
    assert SCHEMES["int8_selective"].describe(spec.settings) == (
        "int8 weights and activations but for named layers (float_layers ^head$, stem)"
    )


@pytest.mark.parametrize(
    ("kind", "stated", "reason"),
    [
        ("int8", {"float_layers": ["head"]}, "float_layers"),
        ("int8_selective", {}, "float_layers"),
        ("int8_selective", {"float_layers": []}, "at least 1"),
        ("int8_selective", {"float_layers": ["head", "("]}, r"'\(' is no regular expression"),
    ],
)
def test_settings_that_a_scheme_does_not_take_are_refused(
    kind: str, stated: dict[str, list[str]], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        SCHEMES[kind].specify(SECTION, stated)


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


def test_a_recipe_states_settings_of_a_scheme() -> None:
    stated = {"int8_selective": {"float_layers": ["head"], "file_steps": ["share"]}}
    config = QuantizeConfig(schemes=("int4", stated)).with_candidates(["dense"])
    assert [candidate.id for candidate in config.candidates] == [
        "float32", "int4", "int8_selective-share",
    ]  # fmt: skip
    own = config.for_candidate("int8_selective-share")
    assert own.scheme.settings == {"calibration_examples": 200, "float_layers": ["head"]}
    assert QuantizeConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("stated", "reason"),
    [
        ("int8_selective", r"float_layers\n *Field required"),
        ({"int8": {"float_layers": ["head"]}}, "float_layers\n *Extra inputs"),
        ({"int8_selective": {"float_layers": ["("]}}, "no regular expression"),
    ],
)
def test_a_recipe_with_settings_that_a_scheme_does_not_take_is_refused(
    stated: object, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        QuantizeConfig(schemes=(stated,))


def test_two_candidates_of_one_name_are_refused() -> None:
    stated = tuple({"int8_selective": {"float_layers": [layer]}} for layer in ("head", "stem"))
    with pytest.raises(ValueError, match="names a scheme twice: int8_selective, int8_selective"):
        QuantizeConfig(schemes=stated)


def test_share_comes_last() -> None:
    with pytest.raises(ValueError, match="share must be the last step"):
        QuantizeConfig(file_steps=("share", "snap"))


def test_a_scheme_goes_without_the_common_steps_that_it_leaves_nothing_to_do() -> None:
    config = QuantizeConfig(file_steps=("snap", "share")).with_candidates(["dense"])
    steps = {each.id: [step.kind for step in each.file_steps] for each in config.candidates}
    assert steps["float32"] == steps["float16"] == ["share"]
    assert steps["int8"] == steps["dynamic_range"] == ["snap", "share"]


def test_a_step_stated_for_a_scheme_that_leaves_it_nothing_to_do_is_refused() -> None:
    with pytest.raises(ValueError, match="float16: its file holds nothing that snap works on"):
        QuantizeConfig(schemes=({"float16": {"file_steps": ("snap",)}},))
