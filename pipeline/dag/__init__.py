"""The KFP pipeline, and its YAML for one target.

`dag` connects the components' contracts and does nothing else. What a target says of images,
machines and volumes is laid on it in `compile`, and in `worker_pods` what lets a stage train on
several pods. Its shape depends on few facts of a recipe; all values are parameters. Importing
`dag` or `compile` loads kfp, a second and a half: so this room's door re-exports nothing.
"""
