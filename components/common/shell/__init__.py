"""What surrounds every stage: key, store, compute, keep, record.

A `Stage` says how its output is computed; the shell decides whether it is. `stage` makes the key
of config, code and `inputs`, and answers from the `store` or computes; `component` turns KFP's
artifacts into paths; `local_runner` joins a run on this machine; `effort` and `results` are what
is left beside the output, `misses` why it was computed. Of all this, a stage knows only its
`Task`.
"""
