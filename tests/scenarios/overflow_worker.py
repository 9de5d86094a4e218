"""A worker's environment as a process: the application's worker, fed by what stands for its event source mapping."""

import os

from tests.harness.queues import EventSource, Queues
from tests.scenarios.overflow_shop import app, gate


def main() -> None:
    queues = Queues(os.environ["AWS_ENDPOINT_URL"], os.environ["TIDEGATE_QUEUE_URL"], "")
    source = EventSource(queues, gate.worker(app), timeout_ms=int(os.environ["TIMEOUT_MS"]))
    while True:
        source.poll(wait_s=1)


if __name__ == "__main__":
    main()
