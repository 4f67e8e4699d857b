"""Whether the data can prove the accuracy budget at all, judged before anything runs.

Only a count of files or lines: what is unreadable or a duplicate shows in preprocess, and
validate judges by the examples that are left. So this errs on the side of the data.
"""

import itertools
import math
import os
from collections.abc import Iterator
from pathlib import Path

from components.common.errors import UserError
from components.preprocess.config import SAMPLE_RECORDS, PreprocessConfig
from pipeline.recipe import Recipe

_DEVIATIONS = 4  # The split is by hash: a share of n varies by the root of n·p·(1-p).


def check_sufficiency(recipe: Recipe) -> None:
    """Refuses a recipe whose test split can't become large enough.

    Raises:
      UserError: names the budget, the number needed, and what there is.
    """
    needed, enough = recipe.required_test_examples(), enough_records(recipe)
    source, records = _count(recipe.data, enough)
    if source is None or records >= enough:
        return
    if records == 0:
        raise UserError(f"{source}: holds nothing; give a source with pictures")
    margin, share = recipe.smallest_margin(), recipe.data.splits.test
    if margin is None:  # Then a single test example is enough.
        return
    expected = records * share
    if expected + _DEVIATIONS * math.sqrt(expected * (1 - share)) >= needed:
        return
    raise UserError(
        f"budgets: an accuracy drop of {margin:g} among "
        f"{len(recipe.candidate_ids())} candidates takes at least {needed} test examples to "
        f"prove, but {source} holds {records} records, of which data.splits.test = {share:g} "
        f"makes about {expected:.0f}; give {enough} records or more, a greater test share, "
        "fewer quantize schemes, or a greater drop"
    )


def enough_records(recipe: Recipe) -> int:
    """Returns of how many records the test split is large enough for the budgets."""
    return math.ceil(recipe.required_test_examples() / recipe.data.splits.test)


def _count(data: PreprocessConfig, enough: int) -> tuple[str | None, int]:
    """Counts a local source's records, up to `enough`; None where it can't be told."""
    if data.sample is not None:
        return data.sample, SAMPLE_RECORDS[data.sample]
    if data.folder is not None and "://" not in data.folder:
        files = _files(Path(data.folder), set())
        return data.folder, sum(1 for _ in itertools.islice(files, enough))
    if data.list is not None and "://" not in data.list and not _assigns_splits(Path(data.list)):
        with open(data.list, "rb") as lines:
            return data.list, sum(1 for _ in itertools.islice(lines, enough))
    return None, 0


def _assigns_splits(path: Path) -> bool:
    """Returns whether a list seems to name splits itself: then no share is at work."""
    with path.open("rb") as lines:
        return b"split" in lines.readline().lower()


def _files(folder: Path, seen: set[str]) -> Iterator[str]:
    """Yields the files in a folder, in depth; each folder once, however often it is linked."""
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise UserError(f"data.folder: {folder} can't be read: {error.strerror}") from error
    for entry in entries:
        if entry.is_dir():
            yield from _files(Path(entry.path), seen)
        elif not entry.name.startswith("."):
            yield entry.path
