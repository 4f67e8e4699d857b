"""The KFP contract of notify."""

from kfp import dsl


@dsl.component(base_image="litesmith-lite", install_kfp_package=False)
def notify(status: dsl.PipelineTaskFinalStatus, config: str, context: str):
    """Writes how the run ended to its folder, and tells whoever is to know.

    Args:
      status: how the tasks before ended; KFP fills it in.
      config: canonical JSON of NotifyConfig.
      context: canonical JSON of RunContext.
    """
    from components.notify import stage

    stage.run(
        state=status.state,
        failed_task=status.pipeline_task_name or "",
        error=status.error_message or "",
        config=config,
        context=context,
    )
