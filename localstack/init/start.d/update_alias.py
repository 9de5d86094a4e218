# ruff: noqa: INP001 - LocalStack executes this file, nobody imports it
"""Mends UpdateAlias with a RoutingConfig, which answers InternalError. LocalStack 4.14.0.

`LambdaProvider.update_alias` calls `_create_routing_config_model(weights)` without its second argument, the version
that the alias will point to, against which the weights are checked. So that version is laid ready for it.
"""

import inspect
import logging
from contextvars import ContextVar
from functools import wraps
from typing import Any

from localstack.services.lambda_ import api_utils
from localstack.services.lambda_.provider import LambdaProvider
from localstack.services.lambda_.provider_utils import get_function_version

LOG = logging.getLogger("tidegate.init.update_alias")
DEFECT = "self._create_routing_config_model(routing_config_dict)\n"


def mend() -> None:
    """Replace both functions."""
    update, make_model = LambdaProvider.update_alias, LambdaProvider._create_routing_config_model  # noqa: SLF001 - the defect is there
    target: ContextVar[Any] = ContextVar("target")

    @wraps(make_model)
    def make_model_for_target(self: Any, weights: dict[str, float], function_version: Any = None) -> Any:
        return make_model(self, weights, function_version or target.get())

    @wraps(update)
    def update_alias(self: Any, context: Any, function_name: str, name: str, **rest: Any) -> Any:
        account, region = api_utils.get_account_and_region(function_name, context)
        function = self._get_function(api_utils.get_function_name(function_name, context), account, region)
        alias = function.aliases.get(name)
        if alias and rest.get("routing_config"):
            version = rest.get("function_version") or alias.function_version
            target.set(get_function_version(function.function_name, version, account, region))
        return update(self, context, function_name, name, **rest)

    LambdaProvider._create_routing_config_model = make_model_for_target  # noqa: SLF001 - as above
    LambdaProvider.update_alias = update_alias


if DEFECT in inspect.getsource(LambdaProvider.update_alias):
    mend()
    LOG.info("UpdateAlias takes weights now.")
else:
    LOG.error(
        "THIS IS NOT THE LOCALSTACK THAT update_alias.py WAS WRITTEN FOR (4.14.0): UpdateAlias was left as it is. "
        "If it takes a RoutingConfig there, remove the script; else adapt it."
    )
