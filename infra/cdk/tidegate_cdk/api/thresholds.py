"""From what on the alarms ring."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Thresholds:
    """From what on an alarm rings: shares from 0 to 1 of one minute's requests, in three minutes of five.

    `least_requests` is how many a minute must have for a share to say anything. `stores_lost` and `throttles` are
    counts of a minute: environments that opened a breaker, and invocations that Lambda refused. `dead_letters` and
    `oldest_message_s` are of the overflow queue, where there is one. `table_throttles` are
    refused calls of DynamoDB's in a minute; `limit_share` is of what the account, the cache and the edge take at most.
    `topic` makes an SNS topic that is told.
    """

    least_requests: int = 50
    server_error_share: float = 0.02
    latency_p95_ms: int = 1000
    fallback_share: float = 0.05
    shed_share: float = 0.05
    stores_lost: int = 3
    throttles: int = 10
    dead_letters: int = 1
    oldest_message_s: int = 300
    table_throttles: int = 10
    limit_share: float = 0.8
    topic: bool = True
