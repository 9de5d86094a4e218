"""The Lambda handler: CloudFormation's requests, the calls of the machine that it starts, and that machine's death."""

from typing import Any

from functions.rollout import last_word

try:
    from functions.rollout import begin, denial, ending, states
except BaseException as error:  # noqa: BLE001  # whatever the error is, CloudFormation waits for a response
    broken: BaseException | None = error
else:
    broken = None


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Begin a release, do the work of one of its states, or see to one whose machine died."""
    if broken is not None:
        last_word.say(event, broken)
        raise RuntimeError(last_word.reason(broken)) from broken
    if "RequestType" in event:
        return {"said": begin.begin(event)}
    if event.get("detail-type") == ending.KIND:
        return {"said": ending.ended(event)}
    try:
        return states.run(event["action"], event["document"], context.get_remaining_time_in_millis() / 1000)
    except Exception as error:
        if denial.is_denial(error):
            raise denial.DeniedError(str(error)) from error  # the machine tells errors by their classes
        raise
