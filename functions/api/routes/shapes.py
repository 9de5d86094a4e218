"""The JSON that goes in and out; money in minor units, ids are opaque strings."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from functions.api.domain.model import Order, Product
from functions.api.domain.sales import SalesReport

Id = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Money = Annotated[int, Field(ge=0, description="Minor units of the currency: 1999 is 19.99 EUR.")]
Currency = Annotated[str, Field(examples=["EUR"])]


class ProductOut(BaseModel):
    """A product for sale."""

    id: Id
    name: str
    price: Money
    currency: Currency
    stock: int = Field(ge=0, description="Pieces left.")

    @classmethod
    def of(cls, product: Product) -> "ProductOut":
        """The domain's product as clients see it."""
        return cls.model_validate(product, from_attributes=True)


class ProductList(BaseModel):
    """A page of products."""

    items: list[ProductOut]
    next: str | None = Field(description="The cursor of the next page; null on the last one.")


class LineIn(BaseModel):
    """So many pieces of one product."""

    model_config = ConfigDict(extra="forbid", strict=True)

    product_id: Id
    quantity: int = Field(ge=1, le=1000)


class OrderIn(BaseModel):
    """What to order; every product at most once."""

    model_config = ConfigDict(extra="forbid")

    items: list[LineIn] = Field(min_length=1, max_length=20)

    @field_validator("items")
    @classmethod
    def _distinct(cls, items: list[LineIn]) -> list[LineIn]:
        if len({item.product_id for item in items}) != len(items):
            raise ValueError("name every product once, with its whole quantity")
        return items


class LineOut(BaseModel):
    """A line at the price per piece that it was sold for."""

    model_config = ConfigDict(from_attributes=True)

    product_id: Id
    name: str
    quantity: int
    price: Money


class OrderOut(BaseModel):
    """A placed order."""

    id: str = Field(examples=["ord_6b86b273ff34fce19d6b804eff5a3f57"])
    status: str = Field(examples=["placed"])
    items: list[LineOut]
    total: Money
    currency: Currency
    created_at: str = Field(description="ISO 8601, UTC.", examples=["2026-01-31T12:00:00.000Z"])

    @classmethod
    def of(cls, order: Order) -> "OrderOut":
        """The domain's order as its owner sees it."""
        return cls(
            id=order.id,
            status=order.status,
            items=[LineOut.model_validate(line) for line in order.basket.lines],
            total=order.basket.total,
            currency=order.basket.currency,
            created_at=order.created_at,
        )


class SaleOut(BaseModel):
    """The sales of one product in one currency."""

    model_config = ConfigDict(from_attributes=True)

    product_id: Id
    currency: Currency
    quantity: int
    revenue: Money


class SalesOut(BaseModel):
    """The sales of all orders."""

    orders: int = Field(ge=0, description="How many orders were read.")
    items: list[SaleOut]

    @classmethod
    def of(cls, report: SalesReport) -> "SalesOut":
        """The domain's report as clients see it."""
        return cls(orders=report.orders, items=[SaleOut.model_validate(sale) for sale in report.sales])


class ExportIn(BaseModel):
    """What to export, and how."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["orders", "products"] = Field(description="The caller's own orders, or all products.")
    format: Literal["csv", "json"]


class ExportOut(BaseModel):
    """An export as JSON: flat rows, the same columns as in the CSV."""

    kind: Literal["orders", "products"]
    rows: list[dict[str, str | int]]
