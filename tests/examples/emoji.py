"""Lists the emoji of an unpacked npm package as a labelled data set.

    npm pack emoji-datasource-google@16.0.0 && tar xzf emoji-datasource-google-16.0.0.tgz
    python tests/examples/emoji.py package emoji.csv
    litesmith run emoji --set data.list=emoji.csv

The pictures are 64x64 PNG files with an alpha channel; the label is the emoji's category.
What differs from another emoji in nothing but the person (gender, age, skin) is in one
group with it, so that near-duplicates never part into different splits.
"""

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("package", type=Path, help="the unpacked npm package")
    parser.add_argument("list", type=Path, help="the .csv file to write")
    arguments = parser.parse_args()
    with arguments.list.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ("path", "label", "group"))
        writer.writeheader()
        writer.writerows(list_emoji(arguments.package))


if __name__ == "__main__":
    main()
