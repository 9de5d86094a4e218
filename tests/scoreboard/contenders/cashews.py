"""cashews: a cached function with `lock=True`, which its documentation has against stampedes."""

from typing import TYPE_CHECKING, Any

from tests.scoreboard.contender import Contender
from tests.scoreboard.origin import Origin
from tests.scoreboard.place import NotOfferedError, Place

if TYPE_CHECKING:
    from fastapi import FastAPI


def application(place: Place) -> "FastAPI":
    """The route's function, cached under a key of its name."""
    from cashews import cache
    from fastapi import FastAPI

    if place.per_caller:
        raise NotOfferedError("it caches functions; what makes a difference is the key's, which the developer writes")
    app, origin = FastAPI(), Origin(place.folder, place.origin_s)
    cache.setup(place.redis_url)

    @app.get("/things/{name}")
    @cache(ttl=f"{place.ttl_s}s", key="things:{name}", lock=True)
    async def thing(name: str) -> dict[str, Any]:
        return await origin.run(name)

    return app


ROWS = (
    Contender(
        name="cashews, lock",
        distribution="cashews",
        documentation="https://github.com/Krukov/cashews#locked",
        families=("cache",),
        app=application,
        group="redis-8",
    ),
)
