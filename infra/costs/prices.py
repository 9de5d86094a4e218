"""The dated file of list prices, and what a request is taken to be."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("prices.toml")


class PricesError(ValueError):
    """The file of prices lacks something, or says it in a way that can't be read; the message says what and where."""


@dataclass(frozen=True)
class Price:
    """A list price in US dollars; `source` is empty if none was found, and `dated` is of the source."""

    name: str
    usd: float
    per: str
    source: str
    dated: str


@dataclass(frozen=True)
class Request:
    """What a request is taken to be: an assumption, which decides about the costs of a million of them."""

    duration_ms: float
    log_bytes: float
    access_log_bytes: float
    traced_share: float
    response_bytes: float
    redis_ecpus: float
    orders_share: float
    writes_per_order: float
    reads_per_request: float
    metrics_with_traffic: int


@dataclass(frozen=True)
class PriceList:
    """All prices of a region, as of a day (ISO 8601)."""

    as_of: str
    region: str
    prices: Mapping[str, Price]
    request: Request

    def __getitem__(self, name: str) -> Price:
        """Return a price by its name.

        Raises:
            PricesError: the list has none of that name.
        """
        if name not in self.prices:
            raise PricesError(f"{FILE.name} has no price {name}: write [prices.{name}] with usd, per, source and dated")
        return self.prices[name]

    def unsourced(self) -> tuple[str, ...]:
        """Return the names of the prices for which no source was found."""
        return tuple(name for name, price in self.prices.items() if not price.source)


def read(file: Path = FILE) -> PriceList:
    """Read a file of prices.

    Raises:
        PricesError: it isn't one; the message says what to write.
    """
    try:
        told = tomllib.loads(file.read_text(encoding="utf-8"))
        prices = {name: _price(name, given) for name, given in told["prices"].items()}
        return PriceList(str(told["as_of"]), str(told["region"]), prices, Request(**told["request"]))
    except KeyError as error:
        raise PricesError(f"{file.name} has no {error.args[0]}") from error
    except (TypeError, tomllib.TOMLDecodeError) as error:
        raise PricesError(f"{file.name}: {error}") from error


def _price(name: str, given: Mapping[str, Any]) -> Price:
    price = Price(name, **given)
    if price.usd < 0:
        raise PricesError(f"{FILE.name}: prices.{name}.usd is {price.usd!r}; write US dollars, 0 or more")
    if bool(price.source) != bool(price.dated):
        raise PricesError(f'{FILE.name}: prices.{name} needs both source and dated, or "" for both')
    return price
