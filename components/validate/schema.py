"""What a data set holds, though the schema that the recipe names doesn't allow it.

As in components.validate.checks, each check yields what it noticed, in words. Where a schema is the
older of the two, what it must say to allow the data is told, too.
"""

from collections.abc import Iterator, Sequence

from components.common.documents.data_schema import DataSchema, Range
from components.common.documents.dataset import SPLITS, DatasetManifest
from components.common.documents.profile import DataProfile, Extremes
from components.common.tasks.sources import sources_of
from components.common.words.figures import counted, listing, shown
from components.validate.portions import Portion


def find_off_schema(
    manifest: DatasetManifest, profile: DataProfile, schema: DataSchema
) -> Iterator[str]:
    """Yields a message for each thing that a schema doesn't allow."""
    if schema.classes is not None:
        yield from _find_classes(manifest, schema.classes)
    examples = sources_of(manifest.task).EXAMPLES
    for name, allowed in schema.values.items():
        yield from _find_values(name, allowed, profile, examples)
    for name, range_ in schema.ranges.items():
        if (ends := profile.ranges.get(name)) is not None:
            yield from _find_out_of_range(name, range_, ends, manifest)


def _find_classes(manifest: DatasetManifest, allowed: Sequence[str]) -> Iterator[str]:
    counts = Portion("this data set", manifest, SPLITS).labels()
    if strange := [f"{name} ({counts[name]})" for name in counts if name not in allowed]:
        yield (
            f"the schema doesn't know {_classes(strange)}. Give what is another class's that name "
            "(data.labels), leave out what isn't meant (data.exclude), or add it to `classes` in "
            "the schema"
        )
    if missing := [name for name in allowed if not counts.get(name)]:
        yield (
            f"there is no example of {_classes(missing)}, which the schema asks for. Find out "
            "where they are, or remove what is no more from `classes` in the schema"
        )


def _classes(names: Sequence[str]) -> str:
    return f"the {'class' if len(names) == 1 else 'classes'} {shown(names)}"


def _find_values(
    name: str, allowed: Sequence[str], profile: DataProfile, examples: str
) -> Iterator[str]:
    found = profile.values.get(name, {})
    strange = [word for word in found if word not in allowed]
    for word in strange:
        seen = found[word]
        yield (
            f"{_of_the(seen.examples, examples)} the {name} {word}, where the schema allows "
            f"{listing(allowed)}: {shown(seen.paths, of=seen.examples)}. Mend or leave them out, "
            f"or write in the schema, under `values`: `{name}: [{', '.join([*allowed, *strange])}]`"
        )


def _find_out_of_range(
    name: str, range_: Range, ends: Extremes, manifest: DatasetManifest
) -> Iterator[str]:
    below = [each for each in ends.least if each.value < range_.least]
    above = [each for each in ends.greatest if each.value > range_.most]
    outside = [*below, *above]
    if not outside:
        return
    count = max(len(outside), _count_outside(name, range_, manifest))
    # A profile has room for so many at each end.
    is_whole = len(below) < len(ends.least) and len(above) < len(ends.greatest)
    values = [range_.least, range_.most, *(each.value for each in outside)]
    wider = Range(least=min(values), most=max(values))
    named = [f"{each.path} ({each.value:.10g})" for each in outside]
    have = _of_the(count, sources_of(manifest.task).EXAMPLES)
    yield (
        f"{'' if is_whole else 'at least '}{have} a {name} {_other_than(range_)}: "
        f"{shown(named, of=count)}. Mend or leave them out, or write in the schema, under "
        f"`ranges`: `{name}: {wider}`"
    )


def _other_than(range_: Range) -> str:
    if range_.least == range_.most:
        return f"other than {range_.least:.10g}"
    return f"outside of {range_.least:.10g} to {range_.most:.10g}"


def _count_outside(name: str, range_: Range, manifest: DatasetManifest) -> int:
    """Returns how many examples lie in bins that are outside as a whole."""
    whole = Portion("this data set", manifest, SPLITS)
    if (trait := whole.traits().get(name)) is None:
        return 0
    counts = whole.bins(trait)
    ends = zip(counts[:-1], trait.edges, strict=True)
    starts = zip(counts[1:], trait.edges, strict=True)
    below = sum(count for count, end in ends if end <= range_.least)
    return below + sum(count for count, start in starts if start > range_.most)


def _of_the(count: int, examples: str) -> str:
    return counted(count, f"of the {examples} has", f"of the {examples} have")
