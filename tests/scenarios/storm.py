"""The storm experiment: `make storm`, or `python -m tests.scenarios.storm`.

It has a live view, and leaves a table and charts in `.tidegate/reports/`.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from tests.scenarios import storm_report
from tests.scenarios.storm_run import PROTECTIONS, Extent, storms


def main() -> None:
    """Run it, show it and write it down."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=Extent.half_s, help="of each half of a storm")
    arguments.add_argument("--factor", type=float, action="append", help="of the capacity; 2, 5 and 10 if none")
    arguments.add_argument("--reports", type=Path, default=Path(".tidegate/reports"), help="where the reports go")
    arguments.add_argument("--docs", type=Path, help="where to leave a copy of the table (storm.md) and the picture")
    given = arguments.parse_args()
    extent = Extent(half_s=given.seconds, factors=tuple(given.factor or Extent.factors))
    with storm_report.live(extent) as watch:
        found = [storm for each in PROTECTIONS for storm in asyncio.run(storms(each, extent, watch))]
    storm_report.show(found)
    storm_report.write(found, extent, given.reports, given.docs)


if __name__ == "__main__":
    main()
