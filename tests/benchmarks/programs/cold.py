"""A function's cold start in a fresh interpreter: import, first request, and what comes after.

    python -m tests.benchmarks.programs.cold CONTENDER EVENT.json

The clock starts before anything is imported that an interpreter doesn't import by itself. The result is one
line of JSON on standard error: log lines go to standard output.
"""

import sys
import time

BEGAN = time.perf_counter()


class Context:
    """What a handler asks of Lambda's context."""

    function_name = "api"
    function_version = "1"
    aws_request_id = "8e03978e-40d5-43e8-bc93-6894a57f9324"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:api:live"

    def get_remaining_time_in_millis(self):
        return 10_000


def _made(name, url, table):
    """The contender's handler; making it is the import of the function's module."""
    from tests.benchmarks import contenders

    return {
        "bare": contenders.bare,
        "tidegate": contenders.tidegate,
        "slowapi": lambda: contenders.slowapi(url),
        "slowapi-headers": lambda: contenders.slowapi(url, headers=True),
        "fastapi-limiter": lambda: contenders.fastapi_limiter(url, _loop()),
        "slowapi-cashews": lambda: contenders.slowapi_cashews(url),
        "powertools": lambda: contenders.powertools(lambda: contenders.dynamodb_layer(table)),
        "slowapi-powertools": lambda: contenders.slowapi_powertools(url, lambda: contenders.dynamodb_layer(table)),
    }[name]()


def _loop():
    """The thread's event loop, for who needs it before there is a handler, which else makes one."""
    import asyncio

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


def main(name, event_file, *options):
    import json
    import os

    handler = _made(name, os.environ["TIDEGATE_REDIS_URL"], os.environ["TIDEGATE_TABLE"])
    imported = time.perf_counter()
    with open(event_file, encoding="utf-8") as file:  # noqa: PTH123  pathlib would be an import of its own
        event = json.load(file)
    for fields, value in (("headers", text := f'"{time.time_ns()}"'), ("multiValueHeaders", [text])):
        if "Idempotency-Key" in event[fields]:
            event[fields]["Idempotency-Key"] = value  # every start is the first of its key
    if "--nothing-after" in options:
        _refuse_threads()
    reply = handler(_arrived(event), Context())
    first = time.perf_counter()
    reply_again = handler(_arrived(event), Context())
    second = time.perf_counter()
    _wait_for_threads()
    after = time.perf_counter()
    if (reply["statusCode"], reply_again["statusCode"]) not in {(200, 200), (201, 201)}:
        raise SystemExit(f"answered {reply}")
    told = {"import": imported - BEGAN, "first": first - imported, "second": second - first, "after": after - second}
    sys.stderr.write(json.dumps({part: seconds * 1000 for part, seconds in told.items()}) + "\n")
    sys.stderr.flush()
    os._exit(0)


def _arrived(event):
    """The event as it is now: a request that has waited is shed."""
    event["requestContext"]["requestTimeEpoch"] = time.time_ns() // 1_000_000
    return event


def _refuse_threads():
    """For an account of imports: what a thread imports beside the request would count for the request."""
    import threading

    threading.Thread.start = lambda thread: None


def _wait_for_threads():
    """Until what was begun in the background is ready; pools' idle threads and daemons that serve never are."""
    import threading

    for thread in threading.enumerate():
        if thread.name == "tidegate-warm":
            thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
