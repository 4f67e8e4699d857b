"""Files under a root that may be a local folder, a mounted one, or a bucket.

The model is an object store: a flat space of names below a root, objects written whole
and at once, generations to make a write conditional. A local folder is made to behave
like one. Everything that outlives a task (store, run folders, shards, registry) is
reached through `open_storage`.

A name that several runs write is either always written on condition of its generation
or always content-addressed, so that it does not matter who wins.
"""

from components.common.storage.files import (
    SummedFile,
    beside,
    file_checksum,
    files_below,
    is_half_written,
    open_regular_file,
    read_whole_file,
    write_whole_file,
)
from components.common.storage.local import LocalStorage
from components.common.storage.opening import open_storage
from components.common.storage.storage import (
    ABSENT,
    SMALL_BYTES,
    Blob,
    PreconditionError,
    Storage,
    StorageError,
    check_name,
    too_large,
)

__all__ = [
    "ABSENT",
    "SMALL_BYTES",
    "Blob",
    "LocalStorage",
    "PreconditionError",
    "Storage",
    "StorageError",
    "SummedFile",
    "beside",
    "check_name",
    "file_checksum",
    "files_below",
    "is_half_written",
    "open_regular_file",
    "open_storage",
    "read_whole_file",
    "too_large",
    "write_whole_file",
]
