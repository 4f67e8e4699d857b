"""Runs on Kubeflow Pipelines: submitted, followed, judged.

`connection` is a way to a server, by `credentials`, `proxies` or a `port_forward`, over a
`transport` with bounds; `explanations` turns what fails into what to do. `cluster` makes and finds
things on the server, each looked up before it is made. What a run is doing is asked of three: KFP
(`cluster_run`), its folder (`run_watch`) and its `pods`; how it ended is decided in `run_end`
alone, and told to a terminal by `cluster_view`, to a CI job by `ci`.
"""
