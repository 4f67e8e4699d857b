"""A task's process: its machine, libraries and memory, what it tells, when it must end.

A task may ask this of its own process, and no more: `machine` says what it runs on, `libraries`
what it has imported, `peak_memory` what it held; `events` is how it tells of itself while it runs,
`termination` how it puts off being ended until its state is saved.
"""
