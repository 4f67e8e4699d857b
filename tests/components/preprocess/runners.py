"""Beam's runners, as a run is told of them."""

IN_THREADS = (
    "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",
    "--direct_num_workers=2",
    "--direct_running_mode=multi_threading",
)
"""Beam's own local runner, which hands pickled work to workers in this process."""
