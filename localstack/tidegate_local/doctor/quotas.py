"""The account's quotas against what a stack asks for: pure."""

from collections.abc import Mapping
from typing import NamedTuple

from tidegate_local.doctor.finding import Finding, failure, ok, warning

# So much of an account's concurrency Lambda keeps unreserved; a quota below it can't be reserved from at all.
_POOL = 100
CONCURRENCY, VPCS, EDGE_RATE = "Lambda's concurrency", "VPCs", "API Gateway's rate"
_REQUEST = "aws service-quotas request-service-quota-increase --service-code {} --quota-code {} --desired-value {}"


class Concurrency(NamedTuple):
    """An account's concurrent executions in a region: all, those that no function reserves, and those of the stack."""

    quota: int
    unreserved: int
    of_the_stack: int


def of_concurrency(asked: Mapping[str, int], account: Concurrency) -> Finding:
    """Judge whether the functions can reserve what they ask for (by their names)."""
    total = sum(asked.values())
    free = max(0, account.unreserved + account.of_the_stack - _POOL)
    found = f"the quota is {account.quota}, {free} of it can be reserved, the stack reserves {total}"
    if total <= free:
        return ok(CONCURRENCY, found)
    quota = account.quota + total - free
    mend = f"Raise the quota (`{_REQUEST.format('lambda', 'L-B99A9384', quota)}`), or deploy with "
    least = f"-c reserved_concurrency={free} or " if free > 1 else ""
    return failure(CONCURRENCY, found, f"{mend}{least}-c reserved_concurrency=none.")


def of_vpcs(asked: int, there: int, quota: float, *, made: bool) -> Finding:
    """Judge whether there is room for the stack's VPCs; `made` if they are there already."""
    found = f"{there} of {quota:g}, the stack {'has' if made else 'makes'} {asked}"
    if made or there + asked <= quota:
        return ok(VPCS, found)
    more = _REQUEST.format("vpc", "L-F678F1CE", int(there + asked))
    return failure(VPCS, found, f"Delete one that nobody uses, or raise the quota: `{more}`")


def of_edge_rate(asked: float, account: float) -> Finding:
    """Judge whether the account lets so many requests a second through as the stage's throttle does."""
    found = f"the account's is {account:g}/s, the stage's throttle {asked:g}/s"
    if asked <= account:
        return ok(EDGE_RATE, found)
    more = _REQUEST.format("apigateway", "L-8A5B8E43", int(asked))
    return warning(EDGE_RATE, found, f"The account's holds first: raise it (`{more}`), or lower `throttle`.")
