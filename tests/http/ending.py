"""A function's environment as a process, which Lambda's SIGTERM ends; said on its output: what it has come to."""

import json
import signal
import sys
import time

from fastapi import FastAPI

from tests.harness.lambda_events import LambdaContext, rest_event
from tidegate import Concurrency, lambda_handler, policy, protect
from tidegate.aws_lambda import signals


def main(scene: str) -> None:
    signals.WITHIN_S = 20  # how busy this machine is isn't what is tested
    if scene == "chained":
        signal.signal(signal.SIGTERM, lambda *_: say("own handler") or sys.exit(3))
    app = shop()
    handler = lambda_handler(app)
    for _ in range(3):
        handler(rest_event("GET", "/free"), LambdaContext())
    if scene == "running":
        handler(rest_event("GET", "/held"), LambdaContext(timeout_ms=60_000))
    say("ready")
    time.sleep(60)


def shop() -> FastAPI:
    app = FastAPI()
    protect(app)

    @app.get("/free")
    async def free() -> str:
        return "ok"

    @app.get("/held")
    @policy(limits=[Concurrency(2, lease="1h")])
    async def held() -> None:
        say("ready")
        time.sleep(60)  # noqa: ASYNC251  as a handler does that never awaits

    return app


def say(what: str) -> None:
    print(json.dumps({"said": what}), flush=True)  # noqa: T201  the parent reads it


if __name__ == "__main__":
    main(sys.argv[1])
