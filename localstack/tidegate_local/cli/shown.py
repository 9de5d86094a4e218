"""What `up` and `status` print: where the API is and how to try it, the parts of a cloud, its outputs."""

import sys
from collections.abc import Mapping, Sequence
from string import Template

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from tidegate_local.releases.place_status import Part
from tidegate_local.state import LocalState


def show_parts(parts: Sequence[Part], outputs: Mapping[str, str]) -> None:
    """Print the parts of a cloud and how they are, then its outputs."""
    # In a pipe rich takes 80 columns for granted and would break every URL.
    console = Console(width=None if sys.stdout.isatty() else 200)
    table = Table("part", "state", Column("where", overflow="fold"))
    for part in parts:
        table.add_row(part.name, part.state if part.well else f"[red]{part.state}[/red]", escape(part.where))
    console.print(table)
    told = Table("output", Column("value", overflow="fold"))
    for name, value in sorted(outputs.items()):
        told.add_row(name, value)
    console.print(told)


def show_access(console: Console, state: LocalState, tries: Sequence[str]) -> None:
    """Print the API's address, its keys, and the project's lines to try."""
    url, keys = state.api_url, state.api_keys
    console.print(f"[bold]{url}[/bold]", soft_wrap=True, highlight=False)
    width = max(map(len, keys), default=0)
    for tier, key in keys.items():
        console.print(f"  {tier:<{width}}  {key}", soft_wrap=True, highlight=False)
    # Any will do for a first try; a stage without tiers shows what the edge answers then.
    key = keys.get("pro") or next(iter(keys.values()), "KEY")
    if tries:
        console.print("\nTry:", highlight=False)
    for line in tries:
        tried = Template(line).substitute(url=url, key=key)
        console.print(f"  {tried}", soft_wrap=True, highlight=False, markup=False)
