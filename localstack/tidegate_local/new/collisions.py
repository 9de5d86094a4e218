"""Names of a project that would meet others in it: pure, refused before anything is written."""

import ast
import keyword
import re
from collections.abc import Iterable

from tidegate_local.errors import ProjectError
from tidegate_local.new.project import Project

_LOCKED = re.compile(r'^name = "([^"]+)"$', re.MULTILINE)


def check_name(project: Project, lock: str) -> None:
    """See that no package of the lock has the project's name: uv tells packages apart by it.

    Raises:
        ProjectError: one has.
    """
    if project.name in _LOCKED.findall(lock):
        raise ProjectError(f"{project.name!r} is a package that the project itself needs: choose another name.")


def check_routes(project: Project, app: str) -> None:
    """See that each route can name a module, and is no name of the application's module, which imports it.

    Raises:
        ProjectError: one can't, or is.
    """
    bound = _bound(ast.parse(app))
    for route in project.routes:
        if keyword.iskeyword(route) or route in bound:
            raise ProjectError(f"The route {route!r} is a word of Python's or of functions/api/app.py: choose another.")


def check_files(taken: Iterable[str], anew: Iterable[str]) -> None:
    """See that no file of a new route replaces one that the project takes over.

    Raises:
        ProjectError: one would.
    """
    if both := sorted(set(taken) & set(anew)):
        raise ProjectError(f"A route's file would replace {', '.join(both)}: choose another name for the route.")


def _bound(module: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names
