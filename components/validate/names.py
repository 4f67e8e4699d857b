"""What is odd about the names of classes.

Names that people read alike are classes of their own to a program: `Cat` and `cat`, an é of
one character and one of two. The model then learns to tell apart what nobody meant to.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence


def find_similar_names(class_names: Sequence[str]) -> Iterator[str]:
    """Yields a message for names that differ by case, Unicode form or space alone."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name in class_names:
        alike[_read(name)].append(name)
    for names in alike.values():
        if len(names) > 1:
            yield (
                f"{' and '.join(map(ascii, names))} read alike, but are {len(names)} classes; if "
                "one is meant, give its folders or labels one name, and else names that differ in "
                "more than case, Unicode form or space"
            )


def _read(name: str) -> str:
    """Returns a name without what readers pass over."""
    folded = unicodedata.normalize("NFD", name).casefold()
    return " ".join(unicodedata.normalize("NFC", folded).split())
