"""What a handler may know of its own admission: `request.state.tidegate`."""

from __future__ import annotations

from dataclasses import dataclass, field

from tidegate.stores.dynamodb_claims import partition_key


@dataclass(frozen=True, slots=True)
class Claim:
    """The claim under which a handler of an idempotent route runs.

    A handler that writes to DynamoDB can fence its own effect: a `ConditionCheck` in its transaction on the
    item `pk` of `table`, that `attempt_id` is still this one. An attempt that outlived its claim then has none.

    Attributes:
        id: the same for every attempt with one key; what a handler derives its own ids from.
        attempt_id: this attempt's.
        table: the DynamoDB table that holds the claim; None if another store does.
    """

    id: str
    attempt_id: str
    table: str | None

    @property
    def pk(self) -> str:
        """The claim's partition key in `table`."""
        return partition_key(self.id)


@dataclass(slots=True)
class Admission:
    """One request's admission.

    Attributes:
        principal: who asks: `user:…`, `key:…` or `ip:…`.
        route: the route's template.
        store: who decided: `redis`, `dynamodb`, `memory`; None if nothing had to be asked.
        claim: the idempotency claim, on idempotent routes.
        organisation: to whom the principal belongs, if that is known.
        units: what `charge` has said, by limit's name; None stands for all that aren't named.
    """

    principal: str
    route: str
    store: str | None = None
    claim: Claim | None = None
    organisation: str | None = None
    units: dict[str | None, int] = field(default_factory=dict)

    def charge(self, units: int, limit: str | None = None) -> None:
        """Say what the request turned out to cost; the difference is charged or given back when it settles.

        It costs no I/O now, and never refuses what has run: a bucket may be overdrawn by it, and refuses the next.

        Args:
            units: the whole cost, at least 0, instead of the declared one.
            limit: the name of the limit that it is meant for; all but slots if None.

        Raises:
            ValueError: the units are below 0.
        """
        if units < 0:
            raise ValueError(f"{units} units can't be charged; write 0 or more")
        self.units[limit] = units
