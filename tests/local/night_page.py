"""The tables of docs/night.md: its states, and what it says to type in each."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "night.md"


def rows(heading):
    """The rows of the table under a heading: the state, and the commands in the order of their typing."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line.strip()[1:-1] for line in section.splitlines() if line.startswith("|")][2:]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)] for line in lines]
    return {first: re.findall(r"`tidegate ([^`]+)`", typed[-1]) for first, *typed in cells}


STACK_ROWS = {status: typed for first, typed in rows("The stack").items() for status in re.findall(r"`(\w+)`", first)}
RELEASE_ROWS, ALIAS_ROWS = rows("The release"), rows("The aliases")
