"""`tidegate console`: serves the page on loopback until Ctrl-C."""

import asyncio
import secrets
import socket
from contextlib import closing

import uvicorn
from rich.console import Console

from tidegate_local import ports
from tidegate_local.console import breaking
from tidegate_local.console.actions import Actions
from tidegate_local.console.app import create_app
from tidegate_local.console.watch import Watch
from tidegate_local.layout import StateFolder
from tidegate_local.project_facts import ProjectFacts
from tidegate_local.scenarios import demo

PORT = 4600


class _Server(uvicorn.Server):
    """Ends the event streams first: they never end by themselves, and the server waits for them."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping.set()
        await super().shutdown(sockets)


def run(folder: StateFolder, port: int | None, console: Console) -> None:
    """Serve at a port of loopback (default: 4600 or the next free one), and say where.

    Raises:
        StartError: the port is taken.
        LocalCloudError: the project's facts or its demo can't be read.
    """
    facts = ProjectFacts.read()
    own = demo.of_project(facts) if facts.demo else None
    token = secrets.token_urlsafe(24)
    with ports.listen_from(port or PORT, tries=1 if port else 50) as listener:
        number = listener.getsockname()[1]
        hosts = frozenset(f"{name}:{number}" for name in (ports.LOOPBACK, "localhost"))
        actions = Actions(breaking.actions(folder, own), lambda: breaking.refusal(folder))
        stopping = asyncio.Event()
        with closing(actions), closing(Watch(folder, actions)) as watch:
            app = create_app(watch, actions, stopping, token=token, hosts=hosts)
            # Behind the #, where a browser keeps it to itself: it is in no log and no Referer.
            console.print(f"[bold]http://{ports.LOOPBACK}:{number}/#{token}[/bold]", soft_wrap=True, highlight=False)
            console.print("Open it in a browser on this machine; Ctrl-C ends it.", highlight=False)
            config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", server_header=False)
            _Server(config, stopping).run(sockets=[listener])
