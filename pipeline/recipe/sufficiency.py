"""Whether the data can prove the accuracy budget at all, judged before anything runs.

It only counts files or lines: what is unreadable or a duplicate shows in preprocess, and validate
judges by the examples that are left. So this errs on the side of the data.
"""

import itertools
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from components.common.data.layout import litter_kind, stated_split, told_layout
from components.common.errors import UserError
from components.common.tasks.sources import sources_of
from components.preprocess.config import SAMPLE_RECORDS, PreprocessConfig
from pipeline.recipe.recipe import Recipe

_DEVIATIONS = 4  # The split is by hash: a share of n varies by the root of n·p·(1-p).

_LEAST_OF_A_CLASS = 3  # Smaller classes are not in every split.


def check_sufficiency(recipe: Recipe) -> None:
    """Refuses a recipe whose test split can't become large enough.

    Raises:
      UserError: names the budget, the number needed, and what there is.
    """
    needed, enough = recipe.required_test_examples(), enough_records(recipe)
    source, records, classes = _count(recipe.data, enough)
    records = min(records, recipe.data.max_examples or records)
    if source is None or records >= enough:
        return
    if records == 0:
        raise UserError(
            f"{source}: holds nothing; give a source with {sources_of(recipe.task).EXAMPLES}"
        )
    margin, share = recipe.smallest_margin(), recipe.data.splits.test
    if margin is None:  # Then a single test example is enough.
        return
    expected, alone = records * share, recipe.required_test_examples(candidates=2)
    # A class that the hash leaves out of the test gets an example there all the same.
    lent = classes * (1 - share) ** _LEAST_OF_A_CLASS
    if expected + lent + _DEVIATIONS * math.sqrt(expected * (1 - share)) >= needed:
        return
    raise UserError(
        f"budgets: an accuracy drop of {margin:g} among "
        f"{recipe.most_proven()} candidates takes at least {needed} test examples to "
        f"prove, but {source} holds {records} records, of which data.splits.test = {share:g} "
        f"makes about {expected:.0f}; give {enough} records or more, a greater test share, "
        f"fewer candidates ({alone} examples prove one beside float32), or a greater drop"
    )


def enough_records(recipe: Recipe) -> int:
    """Returns of how many records the test split is large enough for the budgets."""
    return math.ceil(recipe.required_test_examples() / recipe.data.splits.test)


def _count(data: PreprocessConfig, enough: int) -> tuple[str | None, int, int]:
    """Counts a local source's records, up to `enough`, and how many classes they may make.

    Returns:
      The source's name, None where no share is at work or it can't be told; records; classes.
    """
    if data.sample is not None:
        return data.sample, SAMPLE_RECORDS[data.sample], 0  # Of classes that no split lacks.
    if data.folder is not None and "://" not in data.folder:
        top = list(_entries(data, ""))
        folders = [name for name, is_folder in top if is_folder]
        if top and len(folders) < 2:
            return None, 0, 0  # Of no class, or of one alone: that is refused in other words.
        if any(map(stated_split, folders)) or _holds_containers(data, top):
            return None, 0, 0
        records = sum(1 for _ in itertools.islice(_files(data, "", set()), enough))
        return data.folder, records, min(len(folders), records // _LEAST_OF_A_CLASS)
    if (
        data.list is not None
        and "://" not in data.list
        and Path(data.list).suffix.lower() != ".parquet"  # Of which lines say nothing.
        and not _assigns_splits(Path(data.list))
    ):
        header = 1 if Path(data.list).suffix.lower() in (".csv", ".tsv") else 0
        with open(data.list, "rb") as lines:
            records = sum(1 for _ in itertools.islice(lines, header, header + enough))
        return data.list, records, records // _LEAST_OF_A_CLASS
    return None, 0, 0


def _holds_containers(data: PreprocessConfig, top: Iterable[tuple[str, bool]]) -> bool:
    """Returns whether files seem to tell of another layout: then their number says nothing."""
    inner = _entries(data, "data") if ("data", True) in top else iter(())
    return any(told_layout(path) for path, is_folder in (*top, *inner) if not is_folder)


def _assigns_splits(path: Path) -> bool:
    """Returns whether a list seems to name splits itself: then no share is at work."""
    with path.open("rb") as lines:
        # The first line may name the delimiter alone.
        return any(b"split" in line.lower() for line in itertools.islice(lines, 2))


def _files(data: PreprocessConfig, folder: str, seen: set[str]) -> Iterator[str]:
    """Yields the files in a folder, in depth; each folder once, however often it is linked."""
    real = os.path.realpath(Path(data.folder or "", folder))
    if real in seen:
        return
    seen.add(real)
    for path, is_folder in _entries(data, folder):
        if is_folder:
            yield from _files(data, path, seen)
        else:
            yield path


def _entries(data: PreprocessConfig, folder: str) -> Iterator[tuple[str, bool]]:
    """Yields what is in a folder and wanted, relative to the source, and whether it is a folder."""
    path = Path(data.folder or "", folder)
    try:
        entries = list(os.scandir(path))
    except OSError as error:
        raise UserError(f"data.folder: {path} can't be read: {error.strerror}") from error
    for entry in entries:
        relative = PurePosixPath(folder, entry.name)
        unwanted = litter_kind(entry.name) or any(map(relative.match, data.exclude))
        if not unwanted:
            yield str(relative), entry.is_dir()
