"""The costs as Markdown, and their place in docs/aws.md."""

from infra.costs.idle import Idle
from infra.costs.line import Line, total
from infra.costs.prices import PriceList

BEGIN, END = "<!-- costs: written by `make costs ARGS=--write` -->", "<!-- /costs -->"


class PageError(ValueError):
    """The page has no place for the costs."""


def text(idle: Idle, per_million: tuple[Line, ...], with_traffic: tuple[Line, ...], prices: PriceList) -> str:
    """Write the tables as Markdown."""
    parts = [
        f"List prices of {prices.region} as of {prices.as_of}, in US dollars, without free tier and tax.",
        _table("A month without a request", idle.lines),
        _table("More, in a month with traffic in every hour", with_traffic),
        _table("A million requests", per_million),
    ]
    if idle.unpriced:
        parts.append(f"Without a price, so that the first sum may be short of them: {', '.join(idle.unpriced)}.")
    used = {line.price.name: line.price for line in (*idle.lines, *with_traffic, *per_million)}
    sourced = [price for price in used.values() if price.source]
    parts.append(
        "| price | USD | per | read in | of |\n|---|---|---|---|---|\n"
        + "\n".join(f"| {p.name} | {p.usd:.10g} | {p.per} | {p.source} | {p.dated} |" for p in sourced)
    )
    if unsourced := sorted(price.name for price in used.values() if not price.source):
        parts.append(f"No source was found for {', '.join(unsourced)}: these are from memory.")
    return "\n\n".join(parts)


def written(page: str, tables: str) -> str:
    """Return a page with its costs replaced.

    Raises:
        PageError: the page has no place for them, or two.
    """
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise PageError(f"The page must have {BEGIN} and {END}, each once, in lines of their own.")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}"


def _table(title: str, lines: tuple[Line, ...]) -> str:
    rows = [f"| {line.what} | {line.quantity:,.4g} | {line.price.per} | {line.usd:.2f} |" for line in lines]
    head = f"| {title} | quantity | per | USD |\n|---|---|---|---|"
    return "\n".join([head, *rows, f"| **together** | | | **{total(lines):.2f}** |"])
