"""The handler that Lambda calls: it takes an event and returns the application's response, in the sender's format.

One event loop lives as long as the environment, since clients that the application opens stay bound to it. The
application's start-up runs on it once, before the first event, and its shutdown at the environment's end.
"""

from __future__ import annotations

import asyncio
import os
import sys
import warnings
from typing import Any

from fastapi import FastAPI
from starlette.routing import Match

from tidegate.aws_lambda.events.exchange import Exchange, problem_answer
from tidegate.aws_lambda.events.kind import EventKind, MalformedEventError
from tidegate.aws_lambda.events.redirection import below_root
from tidegate.aws_lambda.events.request import Reader
from tidegate.aws_lambda.events.response import written
from tidegate.aws_lambda.lifespan import SHUTDOWN_WITHIN_S, Lifespan, has_lifespan
from tidegate.errors import ConfigurationError, UnsupportedEventError
from tidegate.extras import need
from tidegate.telemetry import logger
from tidegate.web.problems import Problem, problem_type

# Versions of CPython on which CI tries the eager loop: it uses private names of asyncio. Elsewhere the plain one runs.
EAGER_LOOP_ON = frozenset({(3, 13)})


def lambda_handler(app: FastAPI, *, base_path: str = "") -> LambdaHandler:
    """Return the Lambda handler of an application.

    It takes the events of REST APIs, HTTP APIs, function URLs and Application Load Balancers. The application's
    start-up (its lifespan) runs here, so that it is over before the first request. If it fails, its error is raised,
    and Lambda begins another environment. It runs on the thread's event loop if one is set, else on one that takes no
    needless turns (see `event_loop`).

    Args:
        app: the application.
        base_path: the part of the events' paths before the application's routes, such as a custom domain's base path.
            It is only needed if the events don't show it: a stage, and a base path before a matched route, are found.

    Raises:
        ConfigurationError: Powertools isn't installed, which writes a function's lines.
    """
    return LambdaHandler(app, base_path=base_path)


class LambdaHandler:
    """Answers Lambda's events with an application, one at a time.

    Args:
        app: the application.
        base_path: the part of the events' paths before its routes, if the events don't show it.

    Attributes:
        app: the application.
    """

    def __init__(self, app: FastAPI, *, base_path: str = "") -> None:
        need("aws_lambda_powertools", "lambda", "lambda_handler(app)")
        self.app = app
        self._reader = Reader(self._has_route, getattr(app, "root_path", ""), base_path)
        self._loop = _kept_loop()
        self._lifespan: Lifespan | None = None
        self._to_start = has_lifespan(app)
        if not self._loop.is_running():
            self._start_at_load()

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        """Return the response to an event, in its sender's format.

        Raises:
            UnsupportedEventError: the event isn't an HTTP request.
        """
        if self._to_start:
            self._start_once()
        try:
            request = self._reader.read(event, context)
        except MalformedEventError as error:
            return _refused(event, error)
        except UnsupportedEventError as error:
            logger().error("event not supported", extra={"event": error.event})
            raise
        if self._lifespan is not None:
            request.scope["state"] = dict(self._lifespan.state)
        task = self._loop.create_task(Exchange(request.scope, request.body).run(self.app))
        response = below_root(self._loop.run_until_complete(task), request.scope)
        return written(response, request.kind, event)

    def close(self) -> None:
        """Run the application's shutdown, within the time that Lambda leaves for it."""
        if self._lifespan is not None:
            self._lifespan.stop(SHUTDOWN_WITHIN_S)

    def _start_at_load(self) -> None:
        try:
            self._start_once()
        except ConfigurationError:
            if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
                raise
            # Outside of Lambda a tool may import the module without a request; then the first event raises the error.

    def _start_once(self) -> None:
        if not self._to_start:
            return
        lifespan = Lifespan(self.app, self._loop)
        lifespan.start()
        self._lifespan, self._to_start = lifespan, False
        if "AWS_LAMBDA_FUNCTION_VERSION" in os.environ:
            from tidegate.aws_lambda.signals import end_at_sigterm  # noqa: PLC0415  only on Lambda

            end_at_sigterm(self.close)

    def _has_route(self, path: str) -> bool:
        scope = {"type": "http", "path": path, "root_path": "", "method": "GET", "headers": []}
        return any(route.matches(scope)[0] is not Match.NONE for route in self.app.routes)


def _refused(event: dict[str, Any], error: MalformedEventError) -> dict[str, Any]:
    """Return a 400 in the sender's format: a malformed event may be the client's fault."""
    detail = f"The request can't be read. {error}"
    logger().warning("malformed event", extra={"detail": str(error)})
    context = event.get("requestContext")
    kind: EventKind = "rest" if "httpMethod" in event else "http"
    if isinstance(context, dict) and "elb" in context:
        kind = "alb"
    problem = Problem(400, problem_type("malformed-request"), "Malformed request", detail)
    return written(problem_answer(problem), kind, event)


def _kept_loop() -> asyncio.AbstractEventLoop:
    """Return the thread's event loop, to which the application's clients may be bound; if none is set, a new one."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # before Python 3.14 a missing loop is made with a warning
        try:
            return asyncio.get_event_loop()
        except (RuntimeError, DeprecationWarning):
            pass
    if sys.implementation.name == "cpython" and sys.version_info[:2] in EAGER_LOOP_ON:
        from tidegate.aws_lambda.event_loop import EagerLoop  # noqa: PLC0415  only where it is tried

        loop: asyncio.AbstractEventLoop = EagerLoop()
    else:
        loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop
