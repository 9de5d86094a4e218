"""Tags with the path's parameters filled in."""

from __future__ import annotations

import re
from functools import lru_cache

from starlette.routing import compile_path

from tidegate.errors import ConfigurationError

_FIELD = re.compile(r"\{([a-zA-Z_]\w*)\}")


def filled(templates: tuple[str, ...], route: str, path: str) -> tuple[str, ...]:
    """Return the tags of a request.

    Args:
        templates: such as `product:{product_id}`.
        route: the path's template, such as `/v1/products/{product_id}`.
        path: the request's path, as the route matches it.
    """
    if not templates:
        return ()
    found = _pattern(route).match(path)
    values = found.groupdict() if found else {}
    return tuple(_FIELD.sub(lambda name: values.get(name[1], ""), template) for template in templates)


def check(templates: tuple[str, ...], route: str) -> None:
    """Refuse a tag that the path can't fill.

    Raises:
        ConfigurationError: a tag names a parameter that the path doesn't have.
    """
    for template in templates:
        names = set(_FIELD.findall(template))
        if names and not names <= set(_pattern(route).groupindex):
            known = ", ".join(sorted(_pattern(route).groupindex)) or "none"
            raise ConfigurationError(f"Cache(tags=…) of {route}", f"{template!r} isn't filled by its path ({known})")


@lru_cache(maxsize=512)
def _pattern(route: str) -> re.Pattern[str]:
    return compile_path(route)[0]
