"""The counts in DynamoDB: an item for each minute of a version, written by `tidegate.outcomes.in_dynamodb`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from functions.rollout.counts import CountsUnavailableError, Source

_AT_ONCE = 100  # keys of one BatchGetItem
_ATTEMPTS = 5
# The prefix of the attributes that hold each environment's latest batch number, beside the counts.
_NUMBER = "n:"


def partition_key(source: Source, minute: int) -> str:
    """Return the `pk` of a minute's item."""
    return f"outcomes#{'#'.join(source)}#{minute}"


class TableMinutes:
    """Reads counts.

    Args:
        table: the table's name.
        endpoint_url: another address than AWS's.
        region: the table's; boto's own settings if None.
    """

    def __init__(self, table: str, endpoint_url: str | None = None, region: str | None = None) -> None:
        self._table = table
        self._endpoint_url = endpoint_url
        self._region = region
        self._client: Any = None

    def read(self, source: Source, minutes: Sequence[int]) -> dict[int, dict[str, int]]:
        """Read counts by minute and field.

        Raises:
            CountsUnavailableError: DynamoDB did not answer, or not all of it.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  # heavy: at the first read

        wanted = {partition_key(source, minute): minute for minute in minutes}
        keys = [{"pk": {"S": key}} for key in wanted]
        try:
            if self._client is None:
                self._client = _connected(self._endpoint_url, self._region)
            items = [item for at in range(0, len(keys), _AT_ONCE) for item in self._items(keys[at : at + _AT_ONCE])]
        except (BotoCoreError, ClientError) as error:
            raise CountsUnavailableError(f"DynamoDB: {error}") from error
        return {wanted[item["pk"]["S"]]: _fields(item) for item in items}

    def close(self) -> None:
        """Let go of connections; the next reading opens new ones."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _items(self, keys: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        requested: Mapping[str, Any] = {self._table: {"Keys": list(keys)}}
        for _ in range(_ATTEMPTS):
            answer = self._client.batch_get_item(RequestItems=requested)
            items += answer.get("Responses", {}).get(self._table, [])
            requested = answer.get("UnprocessedKeys") or {}
            if not requested:
                return items
        raise CountsUnavailableError("DynamoDB: not all counts were read")


def _connected(endpoint_url: str | None, region: str | None) -> Any:
    import boto3  # noqa: PLC0415  # heavy: with the first reading
    from botocore.config import Config  # noqa: PLC0415  # see above

    retries: Any = {"total_max_attempts": 3, "mode": "standard"}
    config = Config(connect_timeout=1, read_timeout=2, retries=retries)
    return boto3.client("dynamodb", endpoint_url=endpoint_url, region_name=region, config=config)


def _fields(item: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
    return {
        name: int(value["N"])
        for name, value in item.items()
        if name not in {"pk", "expires_at"} and not name.startswith(_NUMBER)
    }
