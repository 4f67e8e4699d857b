"""What surrounds every stage: key, store, compute, keep, record."""
