"""One environment of the storm's function: polls for an event, runs it, answers, polls again, as on Lambda."""

from __future__ import annotations

import json
import socket
import sys

from tests.harness.lambda_events import LambdaContext
from tests.scenarios.storm_shop import app
from tidegate import lambda_handler


def main(path: str) -> None:
    """Serve until the poll ends.

    Args:
        path: the Unix socket of whoever has the events, one JSON object a line; the answers go back the same way.
    """
    handler = lambda_handler(app)
    with socket.socket(socket.AF_UNIX) as polled, polled.makefile("rwb") as lines:
        polled.connect(path)
        for line in lines:
            answer = handler(json.loads(line), LambdaContext())
            lines.write(json.dumps(answer).encode() + b"\n")
            lines.flush()


if __name__ == "__main__":
    main(sys.argv[1])
