"""Serves one contender's application by uvicorn, on one event loop.

    python -m tests.scoreboard.served NAME PORT
    python -m tests.scoreboard.served NAME import

The second prints how many milliseconds the application took to make, its imports included, and the process's memory.
"""

import sys
import time
from typing import Any

BEGAN = time.perf_counter()
NOT_OFFERED = "not-offered"


def main(name: str, port: str) -> None:
    """Serve until the process is ended."""
    import asyncio

    from tests.scoreboard.place import Place

    place = Place.told()
    if place.names.exists():
        from tests.harness.hanging_names import HangingNames

        HangingNames(place.names).install()
    if place.clock.exists():
        from tests.scoreboard import turned_clock

        turned_clock.install(place.clock)
    asyncio.run(_serve(name, port, place))


async def _serve(name: str, port: str, place: Any) -> None:
    import inspect
    from pathlib import Path

    from tests.scoreboard.contenders import everyone
    from tests.scoreboard.place import NotOfferedError

    try:
        made = everyone.named(name).app(place)
        app = await made if inspect.isawaitable(made) else made
    except NotOfferedError as error:
        Path(place.folder, NOT_OFFERED).write_text(str(error), encoding="utf-8")  # noqa: ASYNC240  nothing is served
        raise SystemExit(3) from None
    if port == "import":
        print((time.perf_counter() - BEGAN) * 1000)  # noqa: T201  it is asked for
        return
    import uvicorn

    # The same loop and parser for all: groups differ in what they have beside uvicorn.
    config = uvicorn.Config(app, port=int(port), loop="asyncio", http="h11", log_level="warning", access_log=False)
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
