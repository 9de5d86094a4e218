# ruff: noqa: INP001 - LocalStack executes this file, nobody imports it
"""Lets GetFunctionConfiguration be asked of an alias. LocalStack 4.14.0.

`LambdaProvider.get_function_configuration` looks for a version of the alias's name and finds no function;
`get_function` resolves the alias first, and has the same configuration in its answer.
"""

import inspect
import logging
from functools import wraps
from typing import Any

from localstack.services.lambda_.provider import LambdaProvider

LOG = logging.getLogger("tidegate.init.alias_configuration")


def mend() -> None:
    """Answer with the part of GetFunction's answer."""

    @wraps(LambdaProvider.get_function_configuration)
    def get_function_configuration(
        self: Any, context: Any, function_name: str, qualifier: str | None = None, **rest: Any
    ) -> Any:
        return self.get_function(context, function_name, qualifier, **rest)["Configuration"]

    LambdaProvider.get_function_configuration = get_function_configuration


if "qualifier_is_alias" not in inspect.getsource(LambdaProvider.get_function_configuration):
    mend()
    LOG.info("GetFunctionConfiguration takes aliases now.")
else:
    LOG.error(
        "THIS IS NOT THE LOCALSTACK THAT alias_configuration.py WAS WRITTEN FOR (4.14.0): GetFunctionConfiguration was "
        "left as it is. If it takes aliases there, remove the script; else adapt it."
    )
