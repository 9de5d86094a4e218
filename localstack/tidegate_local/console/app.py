"""The console's server: the page, what it shows as server-sent events, and its buttons."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from fastapi.staticfiles import StaticFiles

from tidegate_local.console.actions import Actions
from tidegate_local.console.guarded import API, Guarded
from tidegate_local.console.watch import Watch
from tidegate_local.errors import BusyError, LocalCloudError

PAGE = Path(__file__).parent / "page"
_EVERY_S = 0.5


def create_app(
    watch: Watch, actions: Actions, stopping: asyncio.Event, *, token: str, hosts: frozenset[str]
) -> FastAPI:
    """Make the application; event streams end with `stopping`."""
    app = FastAPI(title="Tidegate's console", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get(f"{API}events")
    async def events() -> StreamingResponse:
        return StreamingResponse(_events(watch, stopping), media_type="text/event-stream")

    @app.post(f"{API}actions/{{name}}", status_code=202)
    def act(name: str) -> dict[str, Any]:
        try:
            actions.start(name)
        except KeyError as error:
            raise HTTPException(404, f"There is no button {name!r}.") from error
        except BusyError as error:
            raise HTTPException(409, str(error)) from error
        except LocalCloudError as error:
            raise HTTPException(403, str(error)) from error
        return actions.told()

    app.mount("/", StaticFiles(directory=PAGE, html=True))
    app.add_middleware(Guarded, token=token, hosts=hosts)
    return app


async def _events(watch: Watch, stopping: asyncio.Event) -> AsyncIterator[str]:
    """Say how everything is, twice a second; a page that loses the connection comes back after one."""
    yield "retry: 1000\n\n"
    while not stopping.is_set():
        told = await asyncio.to_thread(watch.snapshot)
        yield f"data: {json.dumps(told, separators=(',', ':'))}\n\n"
        try:
            await asyncio.wait_for(stopping.wait(), _EVERY_S)
        except TimeoutError:
            continue
