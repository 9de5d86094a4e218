"""A Redis that exists, in place of the cache that is made."""

import re
from dataclasses import dataclass

from tidegate_cdk.api.network import Place
from tidegate_cdk.known import matches
from tidegate_cdk.setting_error import SettingError

_URL = re.compile("rediss?://.*")


@dataclass(frozen=True)
class ExistingRedis:
    """A Redis or Valkey at a URL, such as rediss://cache.internal:6379; `place` is where functions reach it from.

    `cluster` is for one in cluster mode, as ElastiCache Serverless is. With a `place` the functions run in that VPC,
    which has to lead to DynamoDB and, with a queue, to SQS.
    """

    url: str
    cluster: bool = False
    place: Place | None = None

    def __post_init__(self) -> None:
        """Refuse what is no Redis's URL."""
        if not matches(_URL, self.url):
            raise SettingError(f"redis is {self.url!r}: it must start with redis:// or rediss://")
