"""The storage of an address."""

from components.common.errors import UserError
from components.common.storage.local import LocalStorage
from components.common.storage.storage import Storage


def open_storage(root: str) -> Storage:
    """Opens the storage below a root: a folder's path or `gs://bucket/prefix`."""
    scheme, separator, _ = root.partition("://")
    if not separator:
        return LocalStorage(root)
    if scheme == "gs":
        # Google's client takes a second to import, which a local run need not pay.
        from components.common.storage.cloud_storage import CloudStorage

        return CloudStorage(root)
    raise UserError(
        f"{root}: there is no storage for {scheme}:// addresses; give gs://bucket/prefix, or a "
        "local or mounted folder"
    )
