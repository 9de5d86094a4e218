"""The first text of what is a project's own: its README, its routes and their tests."""

import re
from collections.abc import Sequence
from pathlib import Path

from tidegate_local.new.project import Project

_IMPORT = re.compile(r"^from functions\.api\.routes import (\([^)]*\)|.*)$", re.MULTILINE)
_ROUTERS = re.compile(r"^ROUTERS = \(([^)]*)\)$", re.MULTILINE)
_README = Path(__file__).with_name("project_readme.md")
_MODULE = '''"""GET /v1/ROUTE: a start; all of it is yours to change."""

from fastapi import APIRouter
from pydantic import BaseModel

from tidegate import TokenBucket, policy

router = APIRouter(prefix="/v1/ROUTE", tags=["ROUTE"])


class CAMELOut(BaseModel):
    """What is answered."""

    message: str


@router.get("", operation_id="showCAMEL", summary="Say hello")
@policy(limits=[TokenBucket("20/s", burst=40)])
async def show() -> CAMELOut:
    """Say hello, to each caller at most 20 times a second."""
    return CAMELOut(message="hello from ROUTE")
'''
_TEST = """import pytest

pytestmark = pytest.mark.anyio


async def test_it_answers_and_says_what_is_left(http):
    answer = await http.get("/v1/ROUTE")
    assert (answer.status_code, answer.json()) == (200, {"message": "hello from ROUTE"})
    assert answer.headers["ratelimit-policy"] == '"20/s";q=40;w=2'
"""


def readme(project: Project) -> str:
    """Return its README."""
    listed = "".join(
        f"- `GET /v1/{route}`: `functions/api/routes/{route}.py`, tested in `tests/api/test_{route}.py`.\n"
        for route in project.routes
    )
    return _README.read_text(encoding="utf-8").format(
        title=project.title, stack=project.stack, routes=f"{listed}\n" if listed else ""
    )


def module(route: str) -> dict[str, str]:
    """Return a route's module and its test."""
    camel = "".join(word.capitalize() for word in route.split("_"))
    return {
        f"functions/api/routes/{route}.py": _MODULE.replace("CAMEL", camel).replace("ROUTE", route),
        f"tests/api/test_{route}.py": _TEST.replace("CAMEL", camel).replace("ROUTE", route),
    }


def registered(app: str, routes: Sequence[str]) -> str:
    """Return the application's module with these routes' routers, too."""
    imported = _IMPORT.sub(
        lambda found: f"from functions.api.routes import {_listed(sorted([*_names(found[1]), *routes], key=_natural))}",
        app,
        count=1,
    )
    routers = [f"{route}.router" for route in routes]
    return _ROUTERS.sub(lambda found: f"ROUTERS = ({_listed([*_names(found[1]), *routers])})", imported, count=1)


def _names(text: str) -> list[str]:
    return re.findall(r"[\w.]+", text)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort b2 before b10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name) if part]
