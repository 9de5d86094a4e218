"""The Lambda handler: API Gateway asks who a request's token is, and whether it is let in."""

import os
from typing import Any

from functions.authorizer.decision import RefusedError, policy_for
from functions.authorizer.keys import KeySet
from functions.authorizer.log_line import say
from functions.authorizer.settings import read

settings = read(os.environ)
keys = KeySet(settings.issuer)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Let a valid token in.

    Raises:
        Exception: "Unauthorized", by which API Gateway answers 401: the token isn't valid.
        KeysUnknownError: nothing can be said of any token just now.
    """
    try:
        return policy_for(event["authorizationToken"], event["methodArn"], settings, keys.key_of)
    except RefusedError as refused:
        say("a token is refused", reason=str(refused), request_id=context.aws_request_id)
        raise Exception("Unauthorized") from None  # noqa: TRY002  # API Gateway's own word, and no other
