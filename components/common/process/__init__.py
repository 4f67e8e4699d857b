"""A task's process: its machine, libraries and memory, what it tells, when it must end."""
