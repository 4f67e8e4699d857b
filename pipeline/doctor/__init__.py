"""What a run needs, looked at and tried before it."""
