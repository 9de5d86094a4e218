"""DynamoDB as the tests see it: conditional writes tell, additions are exact, faults are faults."""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from tests.harness import http_faults as errors
from tests.harness.dynamodb import DynamoServer


def put_once(client, table):
    return client.put_item(
        TableName=table,
        Item={"pk": {"S": "a"}, "attempt_id": {"S": "first"}},
        ConditionExpression="attribute_not_exists(pk)",
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )


def test_a_failed_condition_shows_the_item(dynamo, dynamo_client, library_table):
    put_once(dynamo_client, library_table)
    with pytest.raises(ClientError) as refused:
        put_once(dynamo_client, library_table)
    assert refused.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert refused.value.response["Item"]["attempt_id"] == {"S": "first"}
    assert len(dynamo.items(library_table)) == 1


def test_additions_of_32_threads_are_exact(dynamo, dynamo_client, library_table):
    def add(_):
        dynamo_client.update_item(
            TableName=library_table,
            Key={"pk": {"S": "sum"}},
            UpdateExpression="ADD n :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )

    with ThreadPoolExecutor(32) as threads:
        list(threads.map(add, range(640)))
    assert dynamo.items(library_table) == [{"pk": {"S": "sum"}, "n": {"N": "640"}}]


def test_tables_have_names_of_their_own(dynamo):
    assert len({dynamo.create_library_table() for _ in range(5)}) == 5


def test_starts_fast_stops_and_dies():
    began = time.monotonic()
    with DynamoServer() as server:
        assert time.monotonic() - began < 10
        table = server.create_library_table()
        with contextlib.closing(server.client(read_timeout=0.3)) as client:
            server.stop()
            with pytest.raises(ReadTimeoutError):
                put_once(client, table)
            server.cont()
            client.describe_table(TableName=table)
            server.kill()
            with pytest.raises(EndpointConnectionError):
                client.describe_table(TableName=table)
            server.start()
            assert client.list_tables()["TableNames"] == []


def test_a_proxy_before_it_counts_operations(dynamo, library_table, tcp_proxy):
    proxy = tcp_proxy(dynamo.port)
    with contextlib.closing(dynamo.client(endpoint_url=f"http://127.0.0.1:{proxy.port}")) as client:
        put_once(client, library_table)
        client.get_item(TableName=library_table, Key={"pk": {"S": "a"}})
    counts = proxy.counts()
    assert (counts.round_trips, counts.commands, counts.connections) == (2, ("PutItem", "GetItem"), 1)


@pytest.mark.parametrize(
    "error", [errors.THROTTLED, errors.REQUEST_LIMIT, errors.INTERNAL, errors.UNAVAILABLE, errors.EXPIRED]
)
def test_errors_arrive_as_aws_sends_them_and_end(dynamo, library_table, http_faults, error):
    with contextlib.closing(dynamo.client(endpoint_url=http_faults.endpoint_url)) as client:
        http_faults.fail(error, times=2)
        for _ in range(2):
            with pytest.raises(ClientError) as failed:
                put_once(client, library_table)
            assert failed.value.response["Error"]["Code"] == error.code
            assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == error.status
        assert dynamo.items(library_table) == []
        put_once(client, library_table)
        with pytest.raises(client.exceptions.ConditionalCheckFailedException):
            put_once(client, library_table)
        http_faults.fail(error)
        with pytest.raises(ClientError, match=error.code):
            put_once(client, library_table)
        http_faults.heal()
        assert client.get_item(TableName=library_table, Key={"pk": {"S": "a"}})["Item"]
    assert http_faults.operations == ["PutItem"] * 5 + ["GetItem"]
    assert http_faults.failed == 3
