"""Powertools for AWS Lambda: its idempotent function in a route, with records in Redis or in DynamoDB."""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.scoreboard.contender import Contender
from tests.scoreboard.origin import Origin
from tests.scoreboard.place import Place

if TYPE_CHECKING:
    from fastapi import FastAPI


_DOCUMENTATION = "https://docs.aws.amazon.com/powertools/python/latest/utilities/idempotency/"


def on_redis(place: Place) -> "FastAPI":
    """Records in Redis; without validation of payloads, for this layer keeps no hash of them beside a response."""
    from aws_lambda_powertools.utilities.idempotency.persistence.redis import CachePersistenceLayer

    address = urlsplit(place.redis_url)
    assert address.hostname
    assert address.port
    return _application(
        place, CachePersistenceLayer(host=address.hostname, port=address.port, ssl=False), validated=None
    )


def on_dynamodb(place: Place) -> "FastAPI":
    """Records in DynamoDB."""
    from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer

    return _application(place, DynamoDBPersistenceLayer(table_name=place.table, key_attr="pk"), validated="order")


def _application(place: Place, layer: Any, *, validated: str | None) -> "FastAPI":
    """The key is the caller and the key that he sends; the errors that it documents get the draft's statuses."""
    from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent_function
    from aws_lambda_powertools.utilities.idempotency import exceptions as errors
    from fastapi import FastAPI, HTTPException, Request

    app, origin = FastAPI(), Origin(place.folder, place.origin_s)
    config = IdempotencyConfig(event_key_jmespath="[caller, key]", payload_validation_jmespath=validated or "")
    context: Any = _Context(place.lease_s)
    config.register_lambda_context(context)

    @idempotent_function(data_keyword_argument="request", persistence_store=layer, config=config)
    def create(request: dict[str, Any]) -> dict[str, Any]:
        return origin.run_in_thread(request["order"]["item"])

    @app.post("/orders", status_code=201)
    def order(order: dict[str, str], request: Request) -> Any:
        fields = request.headers
        asked = {"caller": fields.get("authorization"), "key": fields["idempotency-key"], "order": order}
        try:
            return create(request=asked)
        except errors.IdempotencyAlreadyInProgressError as error:
            raise HTTPException(409) from error
        except errors.IdempotencyValidationError as error:
            raise HTTPException(422) from error

    return app


class _Context:
    """Lambda's context, of which it asks how long the invocation may still run: a claim stands so long."""

    def __init__(self, lease_s: int) -> None:
        self._lease_s = lease_s

    def get_remaining_time_in_millis(self) -> int:
        return self._lease_s * 1000


ROWS = (
    Contender(
        name="Powertools, Redis",
        distribution="aws-lambda-powertools",
        documentation=_DOCUMENTATION,
        families=("idempotency",),
        app=on_redis,
        group="redis-8",
    ),
    Contender(
        name="Powertools, DynamoDB",
        distribution="aws-lambda-powertools",
        documentation=_DOCUMENTATION,
        families=("idempotency",),
        app=on_dynamodb,
        group="redis-8",
        claims_in="dynamodb",
    ),
)
