"""What the installation of Argo beside KFP does of its own accord.

A stock KFP 2.17 gives every template of a workflow a retry strategy, groups of tasks and
KFP's drivers among them. So the attempts of a task multiply with those of the groups around
it, and a driver is run again, which it refuses.
"""

from collections.abc import Mapping
from typing import Any

import kubernetes
from urllib3.exceptions import HTTPError

from components.common.errors import UserError
from pipeline.declarations.yaml_files import parse_yaml
from pipeline.kubeflow.pods import connect_to_cluster
from pipeline.target import KubeflowTarget, PortForwardAuth

CONFIG_MAP = "workflow-controller-configmap"


def repeats_groups(target: KubeflowTarget, environment: Mapping[str, str]) -> bool:
    """Whether Argo retries whole groups of tasks and drivers, by its controller's ConfigMap.

    Args:
      target: of which cluster.
      environment: where KUBECONFIG and the proxy are looked up.

    Raises:
      UserError: it can't be read from here; says why.
    """
    strategy = _strategy(_read(target, environment))
    return strategy is not None and str(strategy.get("limit", "")) != "0"


def controllers_namespace(target: KubeflowTarget) -> str:
    """Returns KFP's own namespace, which is Argo's too."""
    auth = target.auth
    return auth.service_namespace if isinstance(auth, PortForwardAuth) else "kubeflow"


def _read(target: KubeflowTarget, environment: Mapping[str, str]) -> Mapping[str, str]:
    namespace = controllers_namespace(target)
    try:
        core = kubernetes.client.CoreV1Api(connect_to_cluster(target, environment))
        found = core.read_namespaced_config_map(CONFIG_MAP, namespace, _request_timeout=10)
    except kubernetes.client.ApiException as error:
        raise UserError(f"{namespace}/{CONFIG_MAP}: {error.status} {error.reason}") from error
    except (kubernetes.config.ConfigException, OSError, HTTPError) as error:
        raise UserError(f"{namespace}/{CONFIG_MAP}: {error}") from error
    return found.data or {}


def _strategy(data: Mapping[str, str]) -> Mapping[str, Any] | None:
    """Returns the retry strategy that every template is given, if any."""
    try:
        found = parse_yaml(data.get("workflowDefaults", ""))
    except ValueError as error:
        raise UserError(f"{CONFIG_MAP}: workflowDefaults: {error}") from error
    for name in ("spec", "templateDefaults", "retryStrategy"):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else None
