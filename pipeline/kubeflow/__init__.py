"""Runs on Kubeflow Pipelines: submitted, followed, judged.

`connection` is a way to a server, by `credentials`, `proxies` or a `port_forward`, over a
`transport` with bounds; `explanations` turns what fails into what to do. `cluster` makes and finds
things on the server, each looked up before it is made. Three tell what a run is doing: KFP
(`cluster_run`), its folder (`run_watch`) and its `pods`. `run_end` alone decides how it ended;
`cluster_view` tells a terminal, `ci` a CI job.
"""
