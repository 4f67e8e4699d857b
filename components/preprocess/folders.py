"""A folder of pictures or texts as a listing: its sub-folders name the classes, or splits of them.

The folder is walked first, past litter and what `data.exclude` names, and then understood
from the names of its first two levels: `cat/1.png` is a class and a picture, and
`train/cat/1.png` states a split, too. What could be meant either way is refused.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from components.common.data.layout import stated_split
from components.common.documents.dataset import SPLITS, Split, TaskName
from components.common.errors import UserError
from components.common.tasks.sources import Sources, sources_of
from components.common.words.figures import listing, shown
from components.preprocess.names import find_unseen
from components.preprocess.rows import HOLDS_TEXTS
from components.preprocess.sources import Listing, Sieve, SourceRecord, make_listing, open_files
from components.preprocess.trees import Tree, is_text, walk_source

_SHOWN = 5  # Folders named in one message.
_READ = 20  # Files looked into for what they annotate.
_MOST_COCO_BYTES = 512 << 20  # The training split of 2017 has 450 MB.
_ROBOFLOW_COCO = "_annotations.coco.json"
_PACKED = (".zip", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_LISTS = (".csv", ".tsv", ".jsonl")
_ANNOTATIONS = frozenset({"labels", "annotations", "annotation", "masks", "boxes"})
_ANNOTATED = frozenset({"images", "image", "imgs", "img", "jpegimages"})
"""Folders, in lower case, as detection and segmentation have them: YOLO, COCO, Pascal VOC."""


def list_folder(folder: str, *, task: TaskName = "image", exclude: Sequence[str] = ()) -> Listing:
    """Lists the examples of a folder; the first level of sub-folders names the classes.

    Where all first-level folders are named like splits (`components/common/data/layout.py`) and
    hold the same sub-folders, these name the classes. Links are followed, but each folder
    is searched once per class.

    Args:
      folder: a path, or `gs://bucket/prefix`.
      task: whose examples it holds.
      exclude: patterns of what is passed over, as `data.exclude` describes them.

    Raises:
      UserError: the folder does not exist, has no sub-folders or a single one, holds no
        file, may mean splits or classes, has a class whose name can't be a label, or a
        link leads back to a folder that contains it.
    """
    sieve = Sieve(exclude)
    return list_classes(folder, walk_source(folder, sieve), sieve, task=task)


def list_classes(folder: str, tree: Tree, sieve: Sieve, *, task: TaskName) -> Listing:
    """Lists a folder that was walked already; see `list_folder`."""
    sources = sources_of(task)
    if task == "image":
        _check_texts(folder, tree)
        _check_annotations(folder, tree, sources)
        _check_coco(folder, tree)
    splits = _find_split_folders(folder, tree)
    level = 1 if splits else 0
    class_folders = sorted(path for path in tree.folders if path.count("/") == level)
    if not class_folders:
        files = f", only files such as {min(tree.files)}" if tree.files else ""
        raise UserError(f"{folder}: has no sub-folders{files}; {_advise(tree, sources)}")
    if not splits:
        _check_parts(folder, tree, class_folders, sources)
    for path in class_folders:
        _check_class_name(folder, path)
    records = [
        record
        for files, misnamed in ((tree.files, False), (tree.misnamed, True))
        for path in files
        if (record := _record(path, splits, level, sources, misnamed=misnamed)) is not None
    ]
    return make_listing(
        folder,
        records,
        {PurePosixPath(path).name for path in class_folders},
        sieve=sieve,
        source=folder,
        examples=sources.EXAMPLES,
        remarks=[f"{folder}: {remark}" for remark in _remark(tree, splits, level, task)],
    )


def _remark(tree: Tree, splits: Mapping[str, Split], level: int, task: TaskName) -> Iterator[str]:
    """Yields how folders were understood, where that is not a matter of course."""
    if splits:
        yield _describe(splits)
    deep = next((path for path in tree.files if path.count("/") > level + 1), None)
    if deep is not None:
        yield f"classes are searched in depth: {deep} is of {deep.split('/')[level]!r}"
    if task == "text":
        inner = [path for path in tree.files if path.count("/") > level]
        others = [path for path in inner if not sources_of(task).is_named(path)]
        if 0 < len(others) < len(inner):
            share = f"{len(others):,} of {len(inner):,} texts"
            yield f"{share} are files of other names than .txt, such as {others[0]}"
    if lists := _find_lists(tree):
        yield (
            f"the sub-folders name the classes, and nothing is made of {shown(lists)}; where that "
            "names them, give it as data.list"
        )


def _check_parts(folder: str, tree: Tree, top: Sequence[str], sources: Sources) -> None:
    """Refuses folders that are no classes, but hold them, or what a list names."""
    if len(top) == 1 and (below := sorted(tree.children(top[0]))):
        raise UserError(
            f"{folder}: has a single sub-folder; if {_named(below)} in it are the classes, or "
            f"splits, give {folder}/{top[0]}"
        )
    if len(top) == 1 and (packed := _find_packed(tree)):
        raise UserError(f"{folder}: has a single sub-folder; unpack {packed[0]}")
    if len(top) == 1 and (files := _find_json(tree)):
        raise UserError(
            f"{folder}: has a single sub-folder; if {files[0]} is an export of Label Studio's, say "
            f"data.source: {{kind: label_studio, path: {folder}/{files[0]}}}"
        )
    if _are_parts(top) and (lists := _find_lists(tree)):
        raise UserError(
            f"{folder}: {shown(lists)} may say what the {sources.EXAMPLES} in {_named(top)} are; "
            f"give the list that does as data.list{_advise_merging(lists)}; or, if folders name "
            "the classes, name it in data.exclude"
        )


def _are_parts(top: Sequence[str]) -> bool:
    """Tells whether folders are a single one, or alike but for a number: images_001."""
    return len({re.sub(r"\d+", "", name) for name in top}) == 1 and not top[0].isdecimal()


def _check_texts(folder: str, tree: Tree) -> None:
    """Refuses texts, all of which would be rejected as pictures."""
    is_text_file = sources_of("text").is_named
    files = (path for path in tree.files if "/" in path)
    first = next(files, "")
    if is_text_file(first) and all(map(is_text_file, files)):
        raise UserError(f"{folder}, {first}: {HOLDS_TEXTS}")


def _check_annotations(folder: str, tree: Tree, sources: Sources) -> None:
    """Refuses pictures with boxes or masks, whose folders would be taken for classes."""
    for path in sorted(tree.folders):
        above, _, name = path.rpartition("/")
        if name.casefold() not in _ANNOTATIONS or (above and stated_split(above) is None):
            continue
        files = [file for file in tree.files if file.startswith(f"{path}/")]
        beside = {other for other in tree.folders if other.rpartition("/")[0] == above}
        names = {other.rpartition("/")[2].casefold() for other in beside}
        if files and (names & _ANNOTATED or not any(map(sources.is_named, files))):
            raise UserError(
                f"{folder}: {files[0]} seems to be an annotation, such as of boxes or masks for "
                "detection or segmentation, and a classifier gives one class; put the "
                f"{sources.EXAMPLES} of each class into a sub-folder that is named like it, or "
                f"state paths and labels in a data.list. Where {path} is no part of the data, name "
                "it in data.exclude"
            )


def _check_coco(folder: str, tree: Tree) -> None:
    """Refuses pictures without folders of classes, where a file has them annotated as COCO's are.

    It lies at the top; Roboflow's in a split's folder.
    """
    top = [path for path in tree.folders if "/" not in path]
    below = {path.partition("/")[2] for path in tree.folders if "/" in path}
    if not all(map(_resembled, below)):
        return
    if not all(map(_resembled, top)) and not _are_parts(top):
        return
    files = _find_json(tree)
    files += sorted(path for path in tree.files if path.endswith(f"/{_ROBOFLOW_COCO}"))
    if found := next((path for path in files[:_READ] if _is_coco(folder, path)), None):
        raise UserError(
            f"{folder}: {found} holds annotations as COCO has them, such as of boxes for "
            "detection, and a classifier gives one class; where each example is of one category, "
            "write a .csv with the columns path and label, and give that as data.list; else put "
            "the files of each class into a sub-folder that is named like it. Where the file is "
            "no part of the data, name it in data.exclude"
        )


def _is_coco(folder: str, path: str) -> bool:
    try:
        data = open_files(folder, at_most=_MOST_COCO_BYTES)(path)
    except OSError:  # Whatever it is, nothing else of it is asked.
        return False
    return all(key in data for key in (b'"images"', b'"annotations"', b'"categories"'))


def _find_lists(tree: Tree) -> list[str]:
    """Returns the files beside the folders that may be lists of what lies in them."""
    return _find_beside(tree, _LISTS)


def _find_json(tree: Tree) -> list[str]:
    return _find_beside(tree, (".json",))


def _find_beside(tree: Tree, extensions: tuple[str, ...]) -> list[str]:
    own = (path for path in tree.files if "/" not in path)
    return sorted(path for path in own if path.lower().endswith(extensions))


def _find_packed(tree: Tree) -> list[str]:
    return sorted(path for path in tree.files if path.lower().endswith(_PACKED))


def _advise(tree: Tree, sources: Sources) -> str:
    """Returns what to do with files that lie in no folder."""
    if len(lists := _find_lists(tree)) > 1:
        return (
            f"if one of {shown(lists)} says what they are, give it as data.list"
            f"{_advise_merging(lists)}"
        )
    if lists:
        return f"if {lists[0]} says what they are, give that as data.list"
    if packed := _find_packed(tree):
        return f"unpack {packed[0]}"
    return (
        f"put the {sources.EXAMPLES} of each class into a sub-folder that is named like the class"
    )


def _advise_merging(lists: Sequence[str]) -> str:
    """Returns what to do where several lists have labels; nothing where there is one."""
    if len(lists) < 2:
        return ""
    stated = [(split, name) for name in lists if (split := _resembled(name)) is not None]
    parts = [f"read_csv({name!r}).assign(split={split!r})" for split, name in sorted(stated)]
    by = f", with pandas by concat([{', '.join(parts)}])" if len(parts) > 1 else ""
    return (
        "; where several have labels, write them into one list, with a column split that says "
        f"which of {listing(SPLITS)} each line is of{by}, and give that"
    )


# --- what the names of the first two levels mean ------------------------------------------


def _find_split_folders(folder: str, tree: Tree) -> Mapping[str, Split]:
    """Returns first-level folders and the splits they state; nothing where they are classes."""
    top = sorted(path for path in tree.folders if "/" not in path)
    splits = {name: split for name in top if (split := stated_split(name)) is not None}
    others = [name for name in top if name not in splits]
    resembling = {name: split for name in others if (split := _resembled(name)) is not None}
    seeming = {**splits, **resembling}
    if resembling and len(set(seeming.values())) > 1:
        verb = "is" if len(resembling) == 1 else "are"
        doubt = f"{_named(list(resembling))} {verb} not called as splits are: {listing(SPLITS)}"
    elif not splits or _is_vehicle(splits, others, tree):
        return {}
    elif found := _find_doubt(splits, others, tree):
        seeming, doubt = splits, found
    else:
        return splits
    lists = _find_lists(tree)
    verb = "is" if len(lists) == 1 else "are"
    there = f" (there {verb} {shown(lists)}){_advise_merging(lists)}" if lists else ""
    raise UserError(
        f"{folder}: {_named(sorted(seeming))} may be splits of one data set, or classes, and "
        f"{doubt}. If they are splits, give each the same sub-folders, one per class, and name "
        "what is no split in data.exclude. If they are classes, rename them so that they don't "
        f"read like splits. Or state every label and split in a data.list{there}"
    )


def _resembled(name: str) -> Split | None:
    """Returns the split that a folder seems to be of, by one word of its name: `test1`."""
    found = {split for word in _WORD.findall(name) if (split := stated_split(word)) is not None}
    return found.pop() if len(found) == 1 else None


def _is_vehicle(splits: Mapping[str, Split], others: Sequence[str], tree: Tree) -> bool:
    """Tells whether `train` is a class beside others, such as cars and ships."""
    alone = [name.casefold() for name in splits] == ["train"]
    return alone and bool(others) and not any(map(tree.children, splits))


def _find_doubt(splits: Mapping[str, Split], others: Sequence[str], tree: Tree) -> str | None:
    """Returns what speaks against reading first-level folders as splits."""
    if others:
        return f"{_named(others)} beside them can only be classes"
    classes = {name: tree.children(name) for name in splits}
    if flat := [name for name, own in classes.items() if not own]:
        return f"{_named(flat)} {'has' if len(flat) == 1 else 'have'} no sub-folders"
    training = [own for name, own in classes.items() if splits[name] == "train"]
    if not training:
        return "none of them is for training"
    known = set().union(*training)
    for name, own in classes.items():
        if unknown := sorted(own - known):
            return (
                f"{name} has {_named(unknown)}, which no training split has: "
                f"it has {_named(sorted(known))}"
            )
    return None


def _describe(splits: Mapping[str, Split]) -> str:
    stated = listing([f"{name} ({split})" for name, split in splits.items()])
    return f"the folders state splits, and their sub-folders classes: {stated}"


def _named(names: Sequence[str]) -> str:
    """Returns names so that even those that look alike can be told apart."""
    further = len(names) - _SHOWN
    return listing([*map(ascii, names[:_SHOWN]), *([f"{further} more"] if further > 0 else [])])


def _record(
    path: str, splits: Mapping[str, Split], level: int, sources: Sources, *, misnamed: bool
) -> SourceRecord | None:
    *folders, _ = path.split("/", level + 1)
    shown = os.fsencode(path).decode("utf-8", "backslashreplace") if misnamed else path
    if len(folders) <= level:
        outside = sources.is_named(path)  # Else notes, indexes and the like.
        return SourceRecord(shown, None, misnamed=misnamed) if outside else None
    split = splits[folders[0]] if level else None
    # A million records share the few names of their classes.
    return SourceRecord(shown, sys.intern(folders[level]), split, misnamed=misnamed)


def _check_class_name(folder: str, path: str) -> None:
    if not is_text(path):
        raise UserError(
            f"{folder}: the name of the class folder {os.fsencode(path)!r} is not UTF-8; rename it"
        )
    if found := find_unseen(PurePosixPath(path).name):
        raise UserError(
            f"{folder}: the name of the class folder {ascii(path)} holds {found}, which breaks "
            "a line or can't be seen, so that no list of labels could hold it; rename it"
        )
