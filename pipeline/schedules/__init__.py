"""Recurring runs: declared in a file, and brought about on a cluster."""
