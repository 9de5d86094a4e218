"""`make scoreboard`: run the contenders through the situations, and write the pages of a whole run.

python -m tests.scoreboard --only tidegate,slowapi --situations hangs
"""

from __future__ import annotations

import argparse
import time

from tests.scoreboard import page, running
from tests.scoreboard.contenders.everyone import CONTENDERS
from tests.scoreboard.environments import missing, version
from tests.scoreboard.situations import TABLES


def main() -> None:
    """Run, print each cell as it ends, and write both pages if nothing was left out."""
    parser = argparse.ArgumentParser(prog="make scoreboard", description=__doc__)
    parser.add_argument("--only", default="", metavar="NAMES", help="contenders whose names begin so, by commas")
    parser.add_argument(
        "--situations", default="", metavar="WORD", help="only situations with this word in their names"
    )
    arguments = parser.parse_args()
    begins = tuple(name.strip() for name in arguments.only.lower().split(","))
    contenders = [row for row in CONTENDERS if row.name.lower().startswith(begins)]
    absent = missing(contenders)
    told = page.facts(list(dict.fromkeys((row.distribution, version(row)) for row in contenders)))
    asked = running.positions(TABLES, contenders, arguments.situations)
    began = time.monotonic()
    outcomes = running.run(asked, absent, page.progress)
    told = [*told, ("took", f"{(time.monotonic() - began) / 60:.0f} minutes")]
    if asked == running.positions(TABLES, CONTENDERS):
        page.write(outcomes, told)


if __name__ == "__main__":
    main()
