"""Redis and DynamoDB, each behind a proxy that counts and fails, and the settings with which they are reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.harness.dynamodb import DynamoServer
from tests.harness.redis_server import RedisServer
from tests.harness.tcp_proxy import TcpProxy
from tidegate import Settings

# Far above what a loaded machine needs: a test that isn't about time must not change stores for lack of it.
AMPLE_MS = 9000


@dataclass(frozen=True)
class ProxiedStores:
    """Real stores, each behind a proxy that counts and fails."""

    redis: RedisServer
    to_redis: TcpProxy
    dynamo: DynamoServer
    to_dynamo: TcpProxy
    table: str

    def settings(self, **changes: Any) -> Settings:
        """Settings that lead through the proxies, with an ample budget, no shadow decisions, and those changes."""
        ours: dict[str, Any] = {
            "redis_url": self.to_redis.url(self.redis.url),
            "table": self.table,
            "decision_budget_ms": AMPLE_MS,
            # A third of a short budget; of an ample one not so much that a test of a hung Redis takes seconds.
            "redis_timeout_ms": min(1000, (changes.get("decision_budget_ms") or AMPLE_MS) // 3),
            "trust_api_key_header": True,
            "shed_wait_ms": (30_000, 60_000),  # a busy machine sheds nobody
            "shadow_share": 0.0,  # one decision in a hundred asks DynamoDB, too: what is counted on the wire varies
        }
        return Settings(**(ours | changes))

    def reset_counts(self) -> None:
        """Forget what went through both proxies so far."""
        self.to_redis.reset_counts()
        self.to_dynamo.reset_counts()

    @property
    def claim(self) -> dict[str, Any]:
        """The one claim in the table."""
        [item] = [item for item in self.dynamo.items(self.table) if item["pk"]["S"].startswith("claim#")]
        return item
