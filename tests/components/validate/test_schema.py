"""What a schema doesn't allow is told with counts, examples, and what it would have to say."""

import pytest

from components.common.documents.data_schema import DataSchema, Range
from components.common.documents.dataset import SPLITS, Trait
from components.common.documents.profile import DataProfile, Extremes, Measured, Seen
from components.validate.checks import explain_stop
from components.validate.schema import find_off_schema
from tests.components.validate.manifests import check, manifest


def profile(*widths: float, **formats: int) -> DataProfile:
    """Returns the profile of pictures of some widths, which has room for three at each end."""
    ordered = [Measured(path=f"{width:g}.png", value=width) for width in sorted(widths)]
    return DataProfile(
        values={
            "format": {
                name: Seen(examples=count, paths=tuple(f"{n}.{name}" for n in range(min(5, count))))
                for name, count in formats.items()
            }
        },
        ranges={"width": Extremes(least=tuple(ordered[:3]), greatest=tuple(ordered[::-1][:3]))},
    )


def find(schema: DataSchema, found: DataProfile, **values) -> list[str]:
    return list(find_off_schema(manifest(**values), found, schema))


def test_what_is_allowed_is_passed_over_and_so_is_what_is_not_asked():
    found = profile(10, 20, 30, 40, JPEG=7, PNG=1)
    schema = DataSchema(
        classes=("disc", "bar", "cross"),
        values={"format": ("PNG", "JPEG", "GIF")},
        ranges={"width": Range(least=10, most=40)},
    )
    assert not find(schema, found)
    assert not find(DataSchema(), found)


def test_classes_that_are_strange_and_that_are_missing_are_named():
    strange, missing = find(
        DataSchema(classes=("bar", "disc", "star")),
        profile(),
        test=(15, 0, 0),
        train=(70, 7, 0),
        validation=(15, 0, 0),
    )
    assert strange.startswith("the schema doesn't know the class cross (7). Give")
    assert missing.startswith("there is no example of the classes disc and star, which")


def test_another_format_is_told_with_the_line_that_would_allow_it():
    schema = DataSchema(values={"format": ("JPEG", "PNG")})
    message, other = find(schema, profile(GIF=7, PNG=9, BMP=1))
    assert message == (
        "7 of the pictures have the format GIF, where the schema allows JPEG and PNG: 0.GIF, "
        "1.GIF, 2.GIF, 3.GIF, 4.GIF and 2 more. Mend or leave them out, or write in the schema, "
        "under `values`: `format: [JPEG, PNG, GIF, BMP]`"
    )
    assert other.startswith("1 of the pictures has the format BMP") and "GIF, BMP]`" in other


def test_numbers_out_of_range_are_told_at_both_ends():
    schema = DataSchema(ranges={"width": Range(least=15, most=35)})
    (message,) = find(schema, profile(10, 20, 30, 40))
    assert message == (
        "2 of the pictures have a width outside of 15 to 35: 10.png (10) and 40.png (40). Mend or "
        "leave them out, or write in the schema, under `ranges`: `width: {least: 10, most: 40}`"
    )
    (message,) = find(DataSchema(ranges={"width": Range(least=20, most=20)}), profile(20, 30))
    assert message.startswith("1 of the pictures has a width other than 20: 30.png (30). Mend")


@pytest.mark.parametrize(
    ("widths", "beginning"),
    [
        ((20, 40, 41), "2 of the pictures"),
        ((20, 40, 41, 42), "at least 3 of the pictures"),  # There is no room for a fourth.
        ((1, 2, 3, 20), "at least 3 of the pictures"),
    ],
)
def test_where_there_is_no_room_for_all_it_says_so(widths, beginning):
    (message,) = find(DataSchema(ranges={"width": Range(least=15, most=35)}), profile(*widths))
    assert message.startswith(beginning)


def test_bins_that_lie_outside_are_counted():
    trait = Trait(name="width", edges=(16, 32, 64), examples=dict.fromkeys(SPLITS, (1, 2, 10, 50)))
    moved = manifest().model_copy(update={"traits": (trait,)})
    for range_, count in (
        (Range(least=16, most=40), 3 * (1 + 50)),
        (Range(least=15, most=63), 3 * 50),
        (Range(least=16, most=64), 3 * 1),
        (Range(least=64, most=70), 3 * (1 + 2 + 10)),
    ):
        found = profile(5, 6, 7, 100, 101, 102)
        (message,) = find_off_schema(moved, found, DataSchema(ranges={"width": range_}))
        assert message.startswith(f"at least {max(count, 6)} of the pictures"), range_


def test_a_run_is_stopped_unless_the_recipe_says_otherwise():
    schema = DataSchema(classes=("bar",))
    (finding,) = check(manifest(), data_schema=schema)
    assert (finding.check, finding.severity) == ("off_schema", "stop")
    assert "\n  off_schema: the schema doesn't know" in explain_stop([finding])
    (finding,) = check(manifest(), data_schema=schema, off_schema="warn")
    assert finding.severity == "warn"
    assert not check(manifest(), data_schema=schema, off_schema="ignore")
    assert not check(manifest())
