"""The Lambda handler: one invocation does as much of an action as fits into its time, and says "more" or "done"."""

from typing import Any

from functions.migrate.invocation import answer


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Do `event["action"]` (expand, contract, down or status) for `event["release"]`; see `invocation`."""
    return answer(event, context.get_remaining_time_in_millis() / 1000)
