"""LocalStack's Lambda without Docker: each execution environment is a process of the host.

What is named here knows nothing of LocalStack; `executor`, `plugin` and `keepalive` are LocalStack's side, found by
its entry points.
"""

from localstack_process_executor.environment import FunctionEnvironment, StoppedError
from localstack_process_executor.function import Answer, Function, Invocation

__all__ = ["Answer", "Function", "FunctionEnvironment", "Invocation", "StoppedError"]
