"""Texts to test tokenizers with, made of what real ones hold, and of what breaks code."""

import random
import unicodedata
from collections.abc import Sequence

_PLAIN = """
the quick brown fox jumps over THE LAZY Dog unaffable embeddings internationalization
можно ПИСАТЬ по-русски ελληνικά ΚΑΙ ΑΛΛΑ हिन्दी ไทย ქართული 한국어 日本語テスト 中文字符 𠀀𪜀
שלום עולם السلام عليكم ابھی Ünïcödé café CAFÉ Straße STRAẞE İstanbul ıstanbul ﬁne ǆ
don't don’t e-mail x+y=z a$b <tag> a|b ~ ^ ` ¿qué? «non» …and—dash · × ÷ © ™ 100% ½ ² Ⅳ
[CLS] [SEP] [UNK] [PAD] [MASK] ##ing #hash @name http://t.co/x?y=1&z=2 file.txt C:\\dir
🙂 👍🏽 🇩🇪 hello🙂 🙂hello :-) ¯\\_(ツ)_/¯
"""
_WORDS: Sequence[str] = (
    *_PLAIN.split(),
    *("❤\ufe0f", "👩\u200d👩\u200d👧", "e\u0301", "n\u0303o", "a\u0300\u0301\u0302", "\u200d"),
    *("zero\u200bwidth", "\u200bx\u200b", "joined\u2060word", "\ufeffbom", "soft\u00adhyphen"),
    *("\u202eright-to-left\u202c", "\u200fx\u200e", "no\u00a0break", "\u3000wide\u3000"),
    *("thin\u2009space", "line\u2028paragraph\u2029", "next\u0085", "\ufffd", "\ufffe", "\ue000"),
    *("nul\0nul", "bell\a", "\x1b[31mred\x1b[0m", "\x7f", "unit\x1fsep", "vertical\vtab"),
    *("form\ffeed", "carriage\rreturn", "\U0010ffff", "\U000e0041", "a\U00010ed0b"),
    *("x" * 100, "x" * 101, "я" * 50, "я" * 51, "a" * 97 + "日本", "中" * 60, "'" * 120),
    *("🙂" * 25, "🙂" * 26),
)
_SPACES = (" ", " ", " ", "", "  ", "\t", "\n", "\r\n", "\f", ",", ". ", "\u00a0", "\u200b")


def odd_texts(count: int, seed: int = 0) -> list[str]:
    """Returns so many texts: each odd word alone, then mixtures of them, some very long.

    Among them are one of no characters, one of a quarter of a megabyte, and one with all of
    Unicode's punctuation that this Python knows.
    """
    chance = random.Random(seed)
    punctuation = (chr(code) for code in range(0x110000))
    marks = [mark for mark in punctuation if unicodedata.category(mark).startswith("P")]
    texts = ["", " ", "\n\n", "word " * 50_000, *_WORDS]
    texts += [
        " ".join(f"a{mark}b" for mark in marks[start : start + 18])
        for start in range(0, len(marks), 18)
    ]
    while len(texts) < count:
        words = chance.choices(_WORDS, k=chance.randint(1, 12))
        texts.append("".join(word + chance.choice(_SPACES) for word in words))
    return texts[:count]
