"""A task's process: its machine, libraries and memory, what it tells, when it must end.

What every task may ask of the process that it is, and no more: `machine` what it runs on,
`libraries` what it has imported, `peak_memory` what it held, `events` how it tells of itself while
it runs, `termination` how it puts off being ended until its state is saved.
"""
