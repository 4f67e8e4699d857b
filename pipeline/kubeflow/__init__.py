"""Runs on Kubeflow Pipelines: submitted, followed, judged."""
