"""What classes are called in a data set, where its source calls them otherwise, or parts them."""

import dataclasses
from collections.abc import Mapping
from difflib import get_close_matches

from components.common.errors import UserError
from components.common.words.figures import shown
from components.preprocess.sources import Listing, SourceRecord


def rename_classes(listing: Listing, names: Mapping[str, str]) -> Listing:
    """Returns a listing whose classes have other names; those that share one become one.

    Args:
      listing: as its source has it.
      names: a class there -> its name; what is not among them keeps its own.

    Raises:
      UserError: the source has no such class, or a single one is left.
    """
    if not names:
        return listing
    for name in names:
        if name not in listing.class_names:
            alike = get_close_matches(name, listing.class_names, n=1)
            meant = (
                f"did you mean {alike[0]!r}?"
                if alike
                else f"there are {shown(listing.class_names)}"
            )
            raise UserError(f"data.labels: {listing.root} has no class {name!r}; {meant}")
    class_names = {names.get(name, name) for name in listing.class_names}
    if len(class_names) < 2:
        raise UserError(
            f"data.labels: leaves a single class, {min(class_names)!r}; a classifier needs two or "
            "more"
        )
    renamed = [
        record
        if record.label is None
        else dataclasses.replace(record, label=names.get(record.label, record.label))
        for record in listing.records
    ]
    return dataclasses.replace(
        listing,
        records=tuple(sorted(renamed, key=SourceRecord.values)),
        class_names=tuple(sorted(class_names)),
    )
