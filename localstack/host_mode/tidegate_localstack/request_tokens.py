"""Transactions that were done already, by their ClientRequestToken.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html: a token is valid
for ten minutes after the request that used it; the same token with other parameters is an error.
"""

import json
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from localstack.aws.api import CommonServiceException

_VALID_S = 600.0

Key = tuple[str, str, str]


class RequestTokens:
    """Remembers successful requests.

    Args:
        now: seconds on a clock that never goes back.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._done: OrderedDict[Key, tuple[float, str]] = OrderedDict()

    def seen(self, key: Key, items: Any) -> bool:
        """Tell whether this request was done already.

        Raises:
            CommonServiceException: another request had this token.
        """
        self._forget_old()
        done = self._done.get(key)
        if done is None:
            return False
        if done[1] != _digest(items):
            raise CommonServiceException(
                "IdempotentParameterMismatchException",
                "The request uses the same client token as a previous, but non-identical request. Do not reuse a "
                "client token with different requests, unless the requests are identical",
            )
        return True

    def remember(self, key: Key, items: Any) -> None:
        """Note that this request was done."""
        self._done[key] = (self._now(), _digest(items))

    def _forget_old(self) -> None:
        while self._done and next(iter(self._done.values()))[0] < self._now() - _VALID_S:
            self._done.popitem(last=False)


def _digest(items: Any) -> str:
    return json.dumps(items, sort_keys=True, default=repr)
