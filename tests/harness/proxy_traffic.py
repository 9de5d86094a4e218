"""What a proxy is told to do to the traffic, and what it has counted."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto


class Fault(Enum):
    NONE = auto()
    HANG = auto()  # accepts, takes nothing, forwards nothing
    RESET = auto()  # at once: live connections and each new one
    CUT_REPLY = auto()  # a part of the next reply, then RST
    HALF_REPLY = auto()  # a part of the next reply, then silence


@dataclass(frozen=True)
class Behaviour:
    fault: Fault = Fault.NONE
    delay_s: float = 0.0
    after_bytes: int = 0
    once: bool = False


@dataclass(frozen=True)
class Counts:
    """Sums over all connections since the last reset.

    A round trip is client bytes (a command or a pipeline) followed by server bytes, per connection.
    `commands` are the requests' names in order of their arrival: "EVALSHA", or "UpdateItem" for DynamoDB.
    """

    round_trips: int
    client_bytes: int
    server_bytes: int
    connections: int
    commands: Sequence[str]


@dataclass
class Meter:
    """The running counts; written by the proxy's thread only, before the bytes are forwarded."""

    round_trips: int = 0
    client_bytes: int = 0
    server_bytes: int = 0
    connections: int = 0
    commands: list[str] = field(default_factory=list)

    def read(self) -> Counts:
        return Counts(self.round_trips, self.client_bytes, self.server_bytes, self.connections, tuple(self.commands))


@dataclass
class Control:
    """What all connections of one proxy share: the behaviour of now, and the meter."""

    behaviour: Behaviour = field(default_factory=Behaviour)
    meter: Meter = field(default_factory=Meter)

    def spend_once(self) -> None:
        """The fault has hit; one that was ordered for once is over."""
        if self.behaviour.once:
            self.behaviour = replace(self.behaviour, fault=Fault.NONE, once=False)
