"""When the overrides are read, and what is in force when they can't be; what is written is what is read."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from threading import Event
from typing import Any

import pytest

from tidegate.errors import StoreUnavailableError
from tidegate.limits.overrides import NONE, Overrides, OverridesReader, partition_key, read_overrides, write_overrides
from tidegate.telemetry import structured_logger

CHANGES = {"writes": {"rate": "5/s"}}


class Item:
    """The item, which counts its reads."""

    def __init__(self) -> None:
        self.reads = 0
        self.limits: Any = CHANGES
        self.error: Exception | None = None
        self.hold = Event()
        self.hold.set()

    def read(self) -> Mapping[str, Mapping[str, Any]]:
        self.hold.wait(10)
        self.reads += 1
        if self.error is not None:
            raise self.error
        return self.limits


@pytest.fixture
def item() -> Item:
    return Item()


@pytest.fixture
def log() -> io.StringIO:
    stream = io.StringIO()
    structured_logger().registered_handler.setStream(stream)
    return stream


def refreshed(reader: OverridesReader) -> None:
    reader.refresh_if_due()
    reader.close()


def test_before_the_first_read_nothing_is_changed(item, clock):
    reader = OverridesReader(item.read, clock)
    assert reader.current == NONE == Overrides(())
    reader.close()
    assert item.reads == 0


@pytest.mark.parametrize(("options", "every_s"), [({}, 30), ({"every_s": 5}, 5)])
def test_it_is_read_at_once_and_then_after_so_many_seconds(item, clock, options, every_s):
    reader = OverridesReader(item.read, clock, **options)
    for passed, reads in ((0, 1), (0, 1), (every_s - 0.001, 1), (0.001, 2), (every_s - 0.001, 2), (0.001, 3)):
        clock.advance(passed)
        refreshed(reader)
        assert item.reads == reads
    assert reader.current == Overrides.of(CHANGES)


def test_no_request_waits_for_a_read_and_the_end_does(item, clock):
    reader = OverridesReader(item.read, clock)
    item.hold.clear()
    reader.refresh_if_due()
    assert reader.current == NONE
    assert reader._reading is not None
    assert reader._reading.daemon
    item.hold.set()
    reader.close()
    assert reader.current == Overrides.of(CHANGES)


@pytest.mark.parametrize(
    ("error", "limits", "told"),
    [
        (StoreUnavailableError("dynamodb", "timeout"), None, {"message": "overrides not read", "fault": "timeout"}),
        (ValueError("too deep"), None, {"message": "overrides not valid", "detail": "too deep"}),
        (None, 7, {"message": "overrides not valid"}),
        (None, {"writes": {1, 2}}, {"message": "overrides not valid"}),
    ],
)
def test_what_cant_be_read_changes_nothing_and_is_logged(item, clock, log, error, limits, told):
    reader = OverridesReader(item.read, clock, every_s=1)
    refreshed(reader)
    item.error, item.limits = error, limits
    clock.advance(1)
    refreshed(reader)
    assert reader.current == Overrides.of(CHANGES)
    [line] = log.getvalue().splitlines()
    assert told.items() <= json.loads(line).items()


class TestInDynamoDB:
    """On a real engine, through the library's own client."""

    @pytest.fixture
    def client(self, dynamo, library_table, closing):
        from tidegate.stores.dynamodb.client import DynamoClient, DynamoTimeouts  # noqa: PLC0415

        client = DynamoClient(DynamoTimeouts(5, 5), endpoint_url=dynamo.endpoint_url)
        closing.callback(client.close)
        return client

    @pytest.fixture
    def put(self, dynamo_client, library_table):
        return lambda value: dynamo_client.put_item(
            TableName=library_table,
            Item={"pk": {"S": "overrides#test"}, **({} if value is None else {"limits": value})},
        )

    def test_what_is_written_is_read(self, client, library_table):
        assert partition_key("test") == "overrides#test"
        assert read_overrides(client, library_table, "test") == {}
        write_overrides(client, library_table, "test", CHANGES)
        assert read_overrides(client, library_table, "test") == CHANGES
        assert read_overrides(client, library_table, "other") == {}
        write_overrides(client, library_table, "test", {})
        assert read_overrides(client, library_table, "test") == {}

    def test_it_is_written_in_one_order(self, client, library_table, dynamo_client):
        write_overrides(client, library_table, "test", {"b": {"rate": "1/s", "burst": 2}, "a": {}})
        found = dynamo_client.get_item(TableName=library_table, Key={"pk": {"S": "overrides#test"}})["Item"]
        assert found["limits"] == {"S": '{"a": {}, "b": {"burst": 2, "rate": "1/s"}}'}

    @pytest.mark.parametrize(
        "value",
        [{"N": "7"}, {"S": "7"}, {"S": "[]"}, {"S": '{"a": 7}'}, {"S": '{"a": {}, "b": []}'}, {"S": "not JSON"}],
    )
    def test_what_is_no_object_of_objects_is_refused(self, client, library_table, put, value):
        put(value)
        with pytest.raises(ValueError, match=r"limits|Expecting"):
            read_overrides(client, library_table, "test")

    def test_what_is_too_deep_is_refused(self, client, library_table, put):
        put({"S": "[" * 100_000})
        with pytest.raises(ValueError, match="too deep"):
            read_overrides(client, library_table, "test")

    def test_an_item_without_limits_changes_none(self, client, library_table, put):
        put(None)
        assert read_overrides(client, library_table, "test") == {}
