"""An example, and where it stands: how documents name single examples."""

from components.common.documents.base import Part
from components.common.documents.dataset import Split


class Placed(Part):
    """An example, and where it stands."""

    id: str
    path: str
    """In the source."""
    label: int
    split: Split
    shard: str
    """Path of the shard that holds it."""
