"""How much waits in the overflow queue."""

from dataclasses import dataclass
from typing import Any

_ATTRIBUTES = {
    "waiting": "ApproximateNumberOfMessages",
    "in_flight": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}


@dataclass(frozen=True)
class QueueDepth:
    """Messages that wait, that a worker has, and that aren't due; and those that could not be run."""

    waiting: int
    in_flight: int
    delayed: int
    dead_letters: int

    @property
    def depth(self) -> int:
        """All that is still to be done."""
        return self.waiting + self.in_flight + self.delayed


def ask(client: Any, queue_url: str, dead_letter_url: str) -> QueueDepth:
    """Ask SQS (a boto3 client of it)."""
    names = list(_ATTRIBUTES.values())
    said = client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
    dead = client.get_queue_attributes(QueueUrl=dead_letter_url, AttributeNames=names)["Attributes"]
    counts = {name: int(said.get(attribute, 0)) for name, attribute in _ATTRIBUTES.items()}
    return QueueDepth(**counts, dead_letters=int(dead.get(_ATTRIBUTES["waiting"], 0)))
