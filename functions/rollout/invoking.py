"""One invocation of a version by its number, and what came of it."""

from __future__ import annotations

import json
from typing import Any, Literal, NamedTuple

from functions.rollout.denial import is_denial
from functions.rollout.order import Target

# API Gateway waits no longer, so a later response reaches no client.
ANSWER_WITHIN_S = 29
# Lambda's refusals of a call now that it takes later: as many environments run as may, or a version that nobody has
# called for long is made ready again.
_BUSY = frozenset(
    {
        "EC2ThrottledException",
        "ResourceConflictException",
        "ResourceNotReadyException",
        "SnapStartNotReadyException",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
# Lambda's own faults: whether the version is well isn't known.
_LAMBDA_S = frozenset({"InternalFailure", "ServiceException"})
# A wrong response; none, because the function crashed; none in time. Each is worse than the one before.
Kind = Literal["answer", "crash", "silence"]


class BusyError(Exception):
    """Lambda doesn't take a call of a version now; the message is Lambda's."""


class Answer(NamedTuple):
    """The result of an invocation: a status and a body, or the reason why there is none."""

    status: int | None
    body: Any
    kind: Kind
    said: str


def invoked(client: Any, target: Target, event: Any) -> Answer:
    """Invoke a version; a timeout is a result, too, and so is Lambda's word that the version can't run.

    Raises:
        BusyError: Lambda doesn't take the call now.
    """
    from botocore.exceptions import ClientError, ReadTimeoutError  # noqa: PLC0415  # pure modules are imported without

    try:
        found = client.invoke(FunctionName=target.name, Qualifier=target.version, Payload=json.dumps(event).encode())
        document = _read(found["Payload"].read() or b"null")
    except ReadTimeoutError:
        return Answer(None, None, "silence", f"no answer within {ANSWER_WITHIN_S} s")
    except ClientError as error:
        return _refused(error)
    if "FunctionError" in found:
        return Answer(None, None, "silence" if _timed_out(document) else "crash", _crash(document))
    if not isinstance(document, dict) or "statusCode" not in document:
        return Answer(None, document, "answer", "")
    return Answer(_status(document["statusCode"]), _body(document.get("body")), "answer", "")


def _refused(error: Any) -> Answer:
    """Tell a version that can't run from a call that Lambda, or the controller's own role, doesn't allow now."""
    code = error.response["Error"]["Code"]
    about = f"{code}: {error.response['Error'].get('Message', '')[:400]}"
    if code in _BUSY:
        raise BusyError(about) from error
    if code in _LAMBDA_S or is_denial(error):
        raise error
    return Answer(None, None, "crash", f"can't be invoked ({about})")


def _read(payload: bytes) -> Any:
    """Read an answer; a runtime of one's own may answer anything."""
    try:
        return json.loads(payload)
    except ValueError:
        return payload.decode(errors="replace")


def _status(written: Any) -> Any:
    """Return a status as a number: API Gateway takes it as a text, too."""
    return int(written) if isinstance(written, str) and written.isdecimal() else written


def _timed_out(document: Any) -> bool:
    """Whether Lambda ended the invocation at the function's timeout."""
    return isinstance(document, dict) and "Task timed out" in str(document.get("errorMessage"))


def _crash(document: Any) -> str:
    about = document if isinstance(document, dict) else {}
    return f"crashes ({about.get('errorType', 'Error')}: {str(about.get('errorMessage', document))[:400]})"


def _body(text: object) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return text
