"""Which AWS clients a tree of sources makes, read from its calls."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

_MAKERS = {"client": "client", "create_client": "client", "resource": "resource"}


def named_clients(tree: Path) -> set[tuple[str, str]]:
    """Return each pair of "client" or "resource" and a service that a module below a folder names.

    ValueError: a call names its service by something else than a text, outside of a function that only passes it on.
    """
    return {
        found for source in tree.rglob("*.py") for found in _in_module(ast.parse(source.read_text("utf-8")), source)
    }


def _in_module(module: ast.Module, source: Path) -> Iterator[tuple[str, str]]:
    passed_on = {
        id(call): {argument.arg for argument in made.args.args}
        for made in ast.walk(module)
        if isinstance(made, ast.FunctionDef) and made.name in _MAKERS
        for call in ast.walk(made)
    }
    for call in ast.walk(module):
        kind = _kind(call)
        if kind is None:
            continue
        assert isinstance(call, ast.Call)
        match _service(call):
            case ast.Constant(value=str(service)):
                yield kind, service
            case ast.Name(id=name) if name in passed_on.get(id(call), ()):
                pass
            case _:
                raise ValueError(f"{source}:{call.lineno} makes a client of a service that can't be read from it")


def _kind(call: ast.AST) -> str | None:
    """Tell what a call makes, if it makes a client: whoever calls a client's own methods names no service."""
    if not isinstance(call, ast.Call) or not (call.args or call.keywords):
        return None
    if isinstance(call.func, ast.Name):
        return _MAKERS.get(call.func.id)
    return _MAKERS.get(call.func.attr) if isinstance(call.func, ast.Attribute) else None


def _service(call: ast.Call) -> ast.expr | None:
    if call.args:
        return call.args[0]
    return next((word.value for word in call.keywords if word.arg == "service_name"), None)
