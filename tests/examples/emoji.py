"""Lists the emoji of an unpacked npm package as a labelled data set.

    npm pack emoji-datasource-google@16.0.0 && tar xzf emoji-datasource-google-16.0.0.tgz
    python tests/examples/emoji.py package emoji.csv
    litesmith run emoji --set data.list=emoji.csv

With `--fold 0` to `--fold 3` the list also says which split a picture belongs to: the test
splits of the four folds make up the whole, so that every picture is tested on once.

The pictures are 64x64 PNG files with an alpha channel; the label is the emoji's category.
What differs from another emoji in nothing but the person (gender, age, skin), or not at all, is in
one group with it, so that near-duplicates never part into different splits.
"""

import argparse
import csv
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

FOLDS = 4

_DROPPED = {"FE0F", "200D", "2640", "2642", *(f"1F3F{digit}" for digit in "BCDEF")}
"""Variation selector, joiner, gender signs, skin tones."""

_PEOPLE = {
    **dict.fromkeys(("1F466", "1F467"), "1F9D2"),  # Boy, girl: child.
    **dict.fromkeys(("1F468", "1F469"), "1F9D1"),  # Man, woman: person.
    **dict.fromkeys(("1F474", "1F475"), "1F9D3"),  # Old man, old woman: older person.
}


def list_emoji(package: Path) -> Iterator[dict[str, str]]:
    """Yields path, label and group of each base emoji that has a picture."""
    pictures = package.resolve() / "img" / "google" / "64"
    for emoji in json.loads((package / "emoji.json").read_text(encoding="utf-8")):
        if emoji["category"] != "Component" and emoji["has_img_google"]:
            yield {
                "path": str(pictures / emoji["image"]),
                "label": emoji["category"],
                "group": group_of(emoji["unified"]),
            }


def group_of(code_points: str) -> str:
    """Returns the code points without what makes a variant: `1F9D1-2695` for a woman in health."""
    kept = [_PEOPLE.get(code, code) for code in code_points.split("-") if code not in _DROPPED]
    return "-".join(kept) or code_points


def unite_equal_pictures(rows: Sequence[Mapping[str, str]]) -> Iterator[dict[str, str]]:
    """Yields the rows, with one group for all groups that have a picture in common.

    Some flags are drawn alike, and so are some families.
    """
    united: dict[str, str] = {}

    def find(group: str) -> str:
        while group in united:
            group = united[group]
        return group

    owners: dict[str, str] = {}
    for row in rows:
        picture = hashlib.sha256(Path(row["path"]).read_bytes()).hexdigest()
        group, other = find(row["group"]), find(owners.setdefault(picture, row["group"]))
        if group != other:
            united[group] = other
    for row in rows:
        yield {**row, "group": find(row["group"])}


def split_of(group: str, fold: int) -> str:
    """Returns the split of a group in one of FOLDS folds: a fifteenth of the rest is validation."""
    number = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big")
    if number % FOLDS == fold:
        return "test"
    return "validation" if number // FOLDS % 15 == 0 else "train"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("package", type=Path, help="the unpacked npm package")
    parser.add_argument("list", type=Path, help="the .csv file to write")
    parser.add_argument("--fold", type=int, choices=range(FOLDS), help="state the splits")
    arguments = parser.parse_args()
    rows = list(unite_equal_pictures(list(list_emoji(arguments.package))))
    if arguments.fold is not None:
        rows = [{**row, "split": split_of(row["group"], arguments.fold)} for row in rows]
    with arguments.list.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
