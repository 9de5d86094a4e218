"""`tidegate dev`: the deployed app under uvicorn with reload, against the same Redis and engine."""

import os
import sys
from contextlib import closing
from typing import NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from tidegate_local import cloud, ports
from tidegate_local.errors import LocalCloudError
from tidegate_local.layout import REPOSITORY
from tidegate_local.state import LocalState

APP = "functions.api.app:app"
PORT = 8000
_WATCHED = ("functions", "layers/tidegate/python")


def environment(state: LocalState) -> dict[str, str]:
    """Return what the deployed function's alias has in its environment, on top of the caller's.

    Raises:
        LocalCloudError: the engine doesn't know the function.
    """
    function, alias = state.outputs["FunctionName"], state.outputs["AliasName"]
    try:
        with closing(cloud.client("lambda", state.endpoint_url)) as functions:
            found = functions.get_function_configuration(FunctionName=function, Qualifier=alias)
    except (BotoCoreError, ClientError) as error:
        raise LocalCloudError(f"The engine does not know {function}:{alias} ({error}). Run `make up`.") from error
    deployed: dict[str, str] = found.get("Environment", {}).get("Variables", {})
    # No API Gateway stands before it, so only the header can tell who asks.
    here = {
        "TIDEGATE_TRUST_API_KEY_HEADER": "1",
        "TIDEGATE_RELEASE": "dev",
        # Functions in containers know Redis by another address.
        "TIDEGATE_REDIS_URL": state.redis_url,
    }
    return {**cloud.environment(os.environ, state.endpoint_url), **deployed, **here}


def serve(state: LocalState, port: int | None) -> NoReturn:
    """Replace this process by uvicorn, at the given port, else at 8000 or the next free one."""
    chosen = port
    if chosen is None:
        with ports.listen_from(PORT) as probe:
            chosen = int(probe.getsockname()[1])
    watched = [word for folder in _WATCHED for word in ("--reload-dir", str(REPOSITORY / folder))]
    os.chdir(REPOSITORY)
    command = [sys.executable, "-m", "uvicorn", APP, "--host", ports.LOOPBACK, "--port", str(chosen)]
    os.execve(sys.executable, [*command, "--reload", *watched], environment(state))  # noqa: S606 - no shell wanted
