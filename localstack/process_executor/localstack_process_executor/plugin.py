"""What LocalStack finds by its entry points."""

from localstack.runtime import hooks
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor


class ProcessRuntimeExecutorPlugin(RuntimeExecutorPlugin):
    """Selected by LAMBDA_RUNTIME_EXECUTOR=process."""

    name = "process"

    def load(self, *_args: object, **_kwargs: object) -> type[RuntimeExecutor]:
        """Return the executor's class."""
        from localstack_process_executor.executor import ProcessRuntimeExecutor  # noqa: PLC0415 - only if selected

        return ProcessRuntimeExecutor


# Before LocalStack stops its services, which it does version by version.
@hooks.on_infra_shutdown(priority=10)
def stop_all_environments() -> None:
    """Stop all environments at LocalStack's end."""
    from localstack_process_executor.living import LIVING  # noqa: PLC0415 - as above

    LIVING.end()
