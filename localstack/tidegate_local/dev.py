"""`tidegate dev`: the deployed app under uvicorn with reload, against the same Redis and engine."""

import os
import sys
from contextlib import closing
from pathlib import Path
from typing import NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from tidegate_local import cloud, ports
from tidegate_local.edge.facts import EdgeFacts
from tidegate_local.errors import FactsError, LocalCloudError
from tidegate_local.layout import StateFolder, project_folder
from tidegate_local.project_facts import ProjectFacts
from tidegate_local.state import LocalState

EDGE_APP = "tidegate_local.edge.served:app"
# What edge/served.py reads. Not TIDEGATE_…: those are the library's, which warns of one that it doesn't know.
EDGE_APPLICATION, EDGE_FACTS = "DEV_EDGE_APPLICATION", "DEV_EDGE_FACTS"
PORT = 8000
# The library's sources, in its own checkout.
_LIBRARY = Path("layers", "tidegate", "python")


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
        "TIDEGATE_LOG": "json",
        # Functions in containers know Redis by another address.
        "TIDEGATE_REDIS_URL": state.redis_url,
    }
    return {**cloud.environment(os.environ, state.endpoint_url), **deployed, **here}


def application() -> str:
    """Return where the project's application is, as uvicorn takes it.

    Raises:
        FactsError: the project doesn't say.
    """
    if named := ProjectFacts.read().app:
        return named
    raise FactsError('[tool.tidegate] of pyproject.toml says no app: write app = "api.app:app" or the like.')


def serve(folder: StateFolder, port: int | None, *, edge: bool = False) -> NoReturn:
    """Replace this process by uvicorn, at the given port, else at 8000 or the next free one.

    With `edge` requests need the keys that the deployed API needs, and are throttled and refused as there.

    Raises:
        StartError: the port is taken.
    """
    state = LocalState.require(folder.state_file)
    served = application()
    environ, app = environment(state), served
    if edge:
        EdgeFacts.of(state).write(folder.edge_file)
        environ |= {EDGE_APPLICATION: served, EDGE_FACTS: str(folder.edge_file)}
        app = EDGE_APP
    with ports.listen_from(port or PORT, tries=1 if port else 50) as probe:
        chosen = int(probe.getsockname()[1])
    folders = [Path(served.partition(".")[0].partition(":")[0]), _LIBRARY]
    there = [place for folder in folders if (place := project_folder() / folder).is_dir()]
    watched = [word for place in there for word in ("--reload-dir", str(place))]
    os.chdir(project_folder())
    command = [sys.executable, "-m", "uvicorn", app, "--host", ports.LOOPBACK, "--port", str(chosen)]
    os.execve(sys.executable, [*command, "--reload", *watched], environ)  # noqa: S606 - no shell wanted
