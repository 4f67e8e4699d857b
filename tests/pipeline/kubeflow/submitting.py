"""What the tests of a cluster submit: the tiny digits, to a target whose volume is a folder."""

from pathlib import Path

from pipeline.dag.compile import compile_dag
from pipeline.kubeflow.cluster import Cluster, new_run_id
from pipeline.kubeflow.cluster_run import ClusterRun
from pipeline.recipe import load_recipe
from tests.builders.targets import PRUNED, make_target
from tests.fakes.kfp_server import KfpServer

RECIPE = load_recipe("digits", tiny=True)
DAG = compile_dag(compressions=PRUNED, target=make_target(Path("/mnt/litesmith")))


def start(cluster: Cluster, run_id: str | None = None) -> ClusterRun:
    context = cluster.target.context(run_id or new_run_id(), RECIPE)
    return cluster.submit(RECIPE, context, DAG)


def write_target(folder: Path, server: KfpServer) -> str:
    path = folder / "target.yaml"
    path.write_text(make_target(folder, server.host).model_dump_json(exclude_none=True))
    return str(path)
