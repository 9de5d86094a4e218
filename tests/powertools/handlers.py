"""Functions of Powertools, as handlers of one environment."""

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent

from tidegate.powertools import TidegatePersistenceLayer


def handler_on(
    layer: TidegatePersistenceLayer, function: Callable[[Any, Any], Any], **config: Any
) -> Callable[[Any, Any], Any]:
    """The function as a handler that is idempotent on that layer."""

    @idempotent(persistence_store=layer, config=IdempotencyConfig(**config))
    def handler(event: Any, context: Any) -> Any:
        return function(event, context)

    return handler
