"""In which script a text is written."""

import functools
import unicodedata
from collections import Counter

from components.common.tasks.text.sources import VALUES

_LOOKED_AT = 1000
"""Characters of a text: enough to tell, however long it is."""


def find_script(text: str) -> str:
    """Returns the script that most of a text's letters have, one of VALUES."""
    scripts: Counter[str] = Counter()
    for character, count in Counter(text[:_LOOKED_AT]).items():
        scripts[_script_of(character)] += count
    del scripts["none"]
    ((script, _),) = scripts.most_common(1) or [("none", 0)]
    return script


@functools.lru_cache(1 << 14)
def _script_of(character: str) -> str:
    if not character.isalpha():
        return "none"
    beginning = unicodedata.name(character, "").partition(" ")[0]
    return beginning if beginning in VALUES["script"] else "other"
