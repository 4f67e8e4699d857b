"""Content digests: of texts and of directory trees."""

from pathlib import Path

import pytest

from components.common.digests import canonical_json, canonical_texts, tree_digest


def test_texts_have_one_canonical_form():
    texts = [chr(code) for code in range(0xD800)] + ["", 'a "b"\\', "\ue000\U0001f600"]
    assert canonical_texts(texts) == canonical_json(texts)
    assert canonical_texts([]) == "[]"


def test_tree_digest_sees_names_and_bytes_but_no_empty_folders(tmp_path: Path) -> None:
    def tree(**files: str) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        (folder / "empty").mkdir(parents=True)
        return tree_digest(folder)

    digests = [tree(a="x", b="y"), tree(a="y", b="x"), tree(a="xy"), tree(a="x"), tree()]
    assert len(set(digests)) == len(digests)
    assert tree(b="y", a="x") == digests[0]


def test_canonical_json_has_one_text_for_a_value() -> None:
    assert canonical_json({"b": [1, 2.5, None], "a": "é"}) == '{"a":"é","b":[1,2.5,null]}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))
