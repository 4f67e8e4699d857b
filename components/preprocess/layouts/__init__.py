"""Layouts: how people's files say which example is of which class, a module for each.

A layout reads a source that was walked (`layout.Source`) and returns its records; where a record's
bytes lie within a container, the record says where. `recognition` tells layouts apart by what lies
in a folder, and refuses what may be read in two ways.
"""

from components.preprocess.layouts.recognition import (
    list_folder_as_told,
    list_source,
    list_stated,
)

__all__ = ["list_folder_as_told", "list_source", "list_stated"]
