"""Print what a template costs: `python -m infra.costs TEMPLATE [--write]`; `make costs` synthesizes it first."""

import argparse
import json
import sys
from pathlib import Path

from infra.costs.idle import idle
from infra.costs.page import PageError, text, written
from infra.costs.prices import PricesError, read
from infra.costs.requests import per_million, with_traffic

_PAGE = Path(__file__).parents[2] / "docs" / "aws.md"


def main(arguments: list[str] | None = None) -> None:
    """Print the tables, or write them into docs/aws.md."""
    parser = argparse.ArgumentParser(prog="python -m infra.costs", description=__doc__)
    parser.add_argument("template", type=Path, help="what `cdk synth` has written: STACK.template.json")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/aws.md")
    parser.add_argument("--page", type=Path, default=_PAGE, help="another page than docs/aws.md")
    given = parser.parse_args(arguments)
    try:
        template, prices = json.loads(given.template.read_text(encoding="utf-8")), read()
        tables = text(idle(template, prices), per_million(template, prices), with_traffic(prices), prices)
        if given.write:
            given.page.write_text(written(given.page.read_text(encoding="utf-8"), tables), encoding="utf-8")
    except (OSError, PricesError, PageError, KeyError, ValueError) as error:
        sys.exit(f"costs: {error}")
    sys.stdout.write(f"{tables}\n")


if __name__ == "__main__":
    main()
