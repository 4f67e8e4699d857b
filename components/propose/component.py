"""The KFP contract of propose."""

from typing import List  # noqa: UP035 (KFP reads this spelling)

from kfp import dsl


@dsl.component(base_image="litesmith-lite", install_kfp_package=False)
def propose(
    models: dsl.Input[dsl.Model],
    trials: dsl.Input[List[dsl.Artifact]],  # noqa: UP006
    config: str,
    context: str,
    ladder: dsl.Output[dsl.Model],
) -> List[str]:  # noqa: UP006
    """Says what a search tries next, and after the last round what goes to the proof.

    Args:
      models: where the bundles so far are in the store; beside it, the search after the round
        before, if there was one.
      trials: what came of the round's variants, in any order.
      config: canonical JSON of ProposeConfig.
      context: canonical JSON of RunContext.
      ladder: the search, where the bundles are that it has made, and once it is over what is to
        be made of them for the proof.

    Returns:
      What comes next: ids of the variants to make, or of the candidates to prove where the search
      is over. It is the one output that has no name, for kfp.local makes loops of no other.
    """
    arguments = dict(locals())

    from components.common.shell.component import run_component
    from components.propose import stage

    return run_component(stage.run, arguments)
