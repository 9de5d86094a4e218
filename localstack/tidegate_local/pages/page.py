"""Fills the templates of pages: whatever is put into one is escaped."""

from pathlib import Path
from typing import Any

_TEMPLATES = Path(__file__).parents[1]


def render(template: str, **shown: Any) -> str:
    """Return the page that a template makes of what is shown; `template` is a path below this package."""
    # Few commands write a page, and none of the others is to wait for the import.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - see the comment above

    loader = FileSystemLoader(_TEMPLATES)
    pages = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return pages.get_template(template).render(shown) + "\n"
