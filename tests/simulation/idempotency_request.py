"""One simulated request: as it comes to an environment's application, and what its handler does to the shop's table."""

import json
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.simulation.idempotency_environment import Invocation, SimulatedEnvironment
from tests.simulation.idempotency_ledger import Heard, Key, Run
from tests.simulation.idempotency_shop import Fate, app
from tidegate.admission import Claim
from tidegate.stores.dynamodb.client import DynamoTimeouts

if TYPE_CHECKING:
    from tests.simulation.idempotency_world import World

# Which request's code runs: an exception that the guard answers is told here, and only here.
under_way: "ContextVar[SimulatedRequest]" = ContextVar("under_way")
# These fields tell of the moment of an answer, not of its content: a replay's may differ.
_NOT_CONTENT = {b"idempotent-replayed", b"ratelimit", b"ratelimit-policy", b"retry-after"}


@dataclass(eq=False)
class SimulatedRequest:
    """One request on its way.

    Attributes:
        fate: what its handler meets, if it runs.
        at_ms: when the client sent it.
        run: its run of the handler, once that has begun.
        why: an exception that was raised on the way, whether it was answered or not.
        messages: what the application has sent to the client.
    """

    world: "World"
    environment: SimulatedEnvironment
    key: Key
    fate: Fate
    at_ms: int
    run: Run | None = None
    why: BaseException | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def own_run(self) -> Run:
        assert self.run is not None
        return self.run

    async def go(self) -> None:
        """Let the application answer it."""
        under_way.set(self)
        try:
            await app(self._scope(), self._receive, self._send)
        except Exception as error:  # noqa: BLE001  the server's edge: what comes out here the client sees
            self.why = self.why or error

    async def pause(self) -> None:
        """Wait until the simulation says to go on."""
        await self.environment.pause()

    def heard(self) -> Heard:
        """The answer, once it is whole, as the client has it."""
        start, *rest = self.messages
        fields = dict(start["headers"])
        return Heard(
            start["status"],
            tuple((name, value) for name, value in start["headers"] if name not in _NOT_CONTENT),
            b"".join(message.get("body", b"") for message in rest),
            b"idempotent-replayed" in fields,
            int(fields.get(b"retry-after", 0)),
        )

    # What its handler does.

    def order(self, claim: Claim) -> dict[str, Any] | None:
        """The order that was placed under this claim's id, by whichever run."""
        found = self._shop.call("GetItem", TableName="orders", Key={"pk": {"S": f"order#{claim.id}"}})
        return json.loads(found["Item"]["content"]["S"]) if found else None

    def commit(self, claim: Claim) -> None:
        """Place the order, if the claim is still this attempt's (the fence) and no order has been placed."""
        content = {"S": json.dumps({"order": self.key.name, "by": self.own_run.number})}
        fence = {
            "Key": {"pk": {"S": claim.pk}},
            "ConditionExpression": "attempt_id = :mine",
            "ExpressionAttributeValues": {":mine": {"S": claim.attempt_id}},
        }
        order = {
            "Item": {"pk": {"S": f"order#{claim.id}"}, "content": content},
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        self._shop.call("TransactWriteItems", TransactItems=[{"ConditionCheck": fence}, {"Put": order}])

    @property
    def _shop(self) -> Any:
        return self.environment.client(DynamoTimeouts(1, 1))

    # Its server's side.

    async def _receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def _send(self, message: Any) -> None:
        self.messages.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.world.answered(self)

    def _scope(self) -> dict[str, Any]:
        path = f"/{self.key.route}"
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(b"idempotency-key", self.key.name.encode()), (b"x-api-key", self.key.route.encode())],
            "client": ("203.0.113.7", 443),
            "server": ("api.test", 443),
            "aws.context": Invocation(),
            "simulation": self,
        }
