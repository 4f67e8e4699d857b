"""Recurring runs: declared in a file, and made on a cluster.

A file of schedules says which recurring runs there are to be (`declaration`), in cron's words
(`cron`); `reconciliation` makes a cluster's those of the file and touches no others; `backfill`
runs a schedule for days that have gone by.
"""

from pipeline.schedules.declaration import Schedule, Wanted, load_schedules, resolve

__all__ = ["Schedule", "Wanted", "load_schedules", "resolve"]
