"""What LocalStack makes for each execution environment: `RuntimeExecutor`, LocalStack 4.14."""

import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path

from localstack.config import GATEWAY_LISTEN
from localstack.services.lambda_.invocation.executor_endpoint import StatusErrorException
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InitializationType, InvocationResult
from localstack.services.lambda_.invocation.runtime_executor import LambdaRuntimeException, RuntimeExecutor

from localstack_process_executor.environment import FunctionEnvironment
from localstack_process_executor.function import Function, Invocation
from localstack_process_executor.living import LIVING
from localstack_process_executor.variables import process_variables
from localstack_process_executor.versions import VERSIONS, Folders

LOG = logging.getLogger(__name__)
_LOOPBACK = "127.0.0.1"


class ProcessRuntimeExecutor(RuntimeExecutor):
    """Runs one environment of a function's version as a process."""

    def __init__(self, id: str, function_version: FunctionVersion) -> None:  # noqa: A002 - LocalStack's name
        super().__init__(id=id, function_version=function_version)
        # Held from now on: the version may be updated and cleaned up while this environment starts.
        self._folders: Folders | None = VERSIONS.hold(function_version)
        self._scratch: Path | None = None
        self._environment: FunctionEnvironment | None = None

    def start(self, env_vars: dict[str, str]) -> None:
        """Start the process and wait until it is initialised.

        A failure is told by the first invocation, which tries again, as on AWS; only provisioned concurrency, which
        has no invocation, is told at once.
        """
        if self._folders is None:
            raise LambdaRuntimeException("This environment was stopped: start another one.")
        function = _function(self.function_version, self._folders)
        self._scratch = Path(tempfile.mkdtemp(prefix="lambda-tmp-"))
        variables = process_variables(env_vars, function, self._scratch)
        self._environment = FunctionEnvironment(function, self.function_version.id.qualifier, variables)
        LIVING.add(self._environment)
        error = self._environment.start()
        if error is not None:
            LOG.warning("%s failed to initialise: %s", self.function_version.qualified_arn, error.decode())
            if env_vars.get("AWS_LAMBDA_INITIALIZATION_TYPE") == InitializationType.provisioned_concurrency:
                raise StatusErrorException("The environment failed to initialise.", payload=error)

    def stop(self) -> None:
        """Stop the process, after the invocation that it may be running, and give back what it ran from."""
        if self._environment is not None:
            self._environment.stop(at_once=LIVING.ending)
            LIVING.discard(self._environment)
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
        folders, self._folders = self._folders, None
        if folders is not None:
            VERSIONS.release(self.function_version)

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        """Run one invocation."""
        if self._environment is None:
            raise LambdaRuntimeException("This environment was never started: call start() before invoke().")
        request_id = payload["invoke-id"]
        answer = self._environment.invoke(
            Invocation(request_id, payload["invoked-function-arn"], payload["payload"].encode(), payload["trace-id"])
        )
        return InvocationResult(request_id, answer.payload, is_error=answer.is_error, logs=answer.logs)

    def get_logs(self) -> str:
        """Return what the process printed since its last invocation."""
        return "" if self._environment is None else self._environment.unreported_logs()

    def get_address(self) -> str:
        """Return where LocalStack finds the environment: on this host."""
        return _LOOPBACK

    def get_endpoint_from_executor(self) -> str:
        """Return where the environment finds LocalStack: on this host."""
        return _LOOPBACK

    def get_runtime_endpoint(self) -> str:
        """Return a URL for the variable of LocalStack's own init program, which isn't used here."""
        return f"http://{_LOOPBACK}:{GATEWAY_LISTEN[0].port}/_localstack_lambda/{self.id}"

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        """Unpack the version's code and layers."""
        VERSIONS.prepare(function_version)

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Remove them, once no environment runs from them."""
        VERSIONS.release(function_version)


def _function(version: FunctionVersion, folders: Folders) -> Function:
    return Function(
        handler=version.config.handler,
        runtime=str(version.config.runtime),
        python=os.environ.get("LAMBDA_PROCESS_PYTHON") or sys.executable,
        task_root=folders.task_root,
        layers_root=folders.layers_root,
        timeout_s=version.config.timeout,
        memory_mb=version.config.memory_size,
    )
