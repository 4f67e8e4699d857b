"""What Hugging Face's library writes into a Parquet file's schema: features, and classes' names."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from components.common.errors import UserError


def read_features(schema: Any, where: str) -> Mapping[str, Mapping[str, Any]]:
    """Returns what is written of the columns, nothing where it was not.

    Args:
      schema: pyarrow's, of the file.
      where: for messages.

    Raises:
      UserError: it can't be read.
    """
    text = (schema.metadata or {}).get(b"huggingface")
    if text is None:
        return {}
    try:
        features = json.loads(text)["info"]["features"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise UserError(
            f"{where}: the schema's metadata `huggingface` can't be read: {error}"
        ) from error
    known = features.items() if isinstance(features, dict) else ()
    return {name: feature for name, feature in known if isinstance(feature, dict)}


def class_names_of(
    features: Mapping[str, Mapping[str, Any]], column: str, where: str
) -> Sequence[str] | None:
    """Returns the names of a column's classes, in the order of their numbers; None for none.

    Raises:
      UserError: what stands there is no list.
    """
    names = features.get(column, {}).get("names")
    if not isinstance(names, list | None):
        raise UserError(
            f"{where}: the schema's metadata `huggingface` names no classes of {column!r}, but "
            f"{names!r}; write the file anew, without it"
        )
    return tuple(map(str, names)) if names else None
