"""`make scoreboard`: run the contenders through the situations, print the tables, and write the pages of a whole run.

python -m tests.scoreboard --only tidegate,slowapi --situations hangs
"""

from __future__ import annotations

import argparse

from tests.scoreboard import page, running
from tests.scoreboard.contenders.everyone import CONTENDERS
from tests.scoreboard.environments import missing
from tests.scoreboard.situations import SITUATIONS


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(prog="make scoreboard", description=__doc__)
    parser.add_argument("--only", default="", metavar="NAMES", help="contenders whose names begin so, by commas")
    parser.add_argument(
        "--situations", default="", metavar="WORD", help="only situations with this word in their names"
    )
    arguments = parser.parse_args()
    begins = tuple(arguments.only.lower().split(","))
    contenders = [row for row in CONTENDERS if row.name.lower().startswith(begins)]
    situations = [column for column in SITUATIONS if arguments.situations.lower() in column.name.lower()]
    facts = page.facts()
    outcomes = running.run(running.positions(contenders, situations), missing(contenders), page.progress)
    page.show(outcomes)
    if len(contenders) == len(CONTENDERS) and len(situations) == len(SITUATIONS):
        page.write(outcomes, facts)


if __name__ == "__main__":
    main()
