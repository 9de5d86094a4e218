# ruff: noqa: INP001 - LocalStack executes this file, nobody imports it
"""Has functions log to the group that their LoggingConfig names. LocalStack 4.14.0.

It stores a function's log group and writes to /aws/lambda/NAME all the same
(`ExecutionEnvironment.get_log_group_name`).
"""

import logging

from localstack.services.lambda_.invocation.execution_environment import ExecutionEnvironment

LOG = logging.getLogger("tidegate.init.log_groups")


def mend(environment: type[ExecutionEnvironment]) -> None:
    """Ask the function's configuration first."""
    by_name = environment.get_log_group_name

    def get_log_group_name(self: ExecutionEnvironment) -> str:
        return str((self.function_version.config.logging_config or {}).get("LogGroup") or by_name(self))

    environment.get_log_group_name = get_log_group_name


if hasattr(ExecutionEnvironment, "get_log_group_name"):
    mend(ExecutionEnvironment)
    LOG.info("Functions log to the groups that they name now.")
else:
    LOG.error(
        "THIS IS NOT THE LOCALSTACK THAT log_groups.py WAS WRITTEN FOR (4.14.0): functions log to /aws/lambda/NAME. "
        "If they obey their LoggingConfig there, remove the script; else adapt it."
    )
