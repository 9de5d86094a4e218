"""The orders table, and the one transaction that makes an order."""

from collections.abc import Iterator

from pynamodb.exceptions import TransactWriteError
from pynamodb.transactions import TransactWrite

from functions.api.data.commit import CONFLICTS, Commit, refusal_of
from functions.api.data.driver import Driver, driver_errors
from functions.api.data.models import ClaimRow, LineMap, OrderRow, ProductRow
from functions.api.domain.model import Fence, Order

REPORT_PAGE = 10  # small on purpose: the sales report is the shop's slow route


class OrderTable:
    """The shop's orders; every method raises DataUnavailableError if DynamoDB doesn't answer."""

    def __init__(self, driver: Driver, table: str, products_table: str) -> None:
        self._driver = driver
        self._row = driver.bind(OrderRow, table)
        self._product = driver.bind(ProductRow, products_table)

    def get(self, order_id: str) -> Order | None:
        """Return one order as it is now (a consistent read), or None."""
        with driver_errors():
            try:
                return self._row.get(order_id, consistent_read=True).to_order()
            except self._row.DoesNotExist:
                return None

    def owned_by(self, owner: str) -> Iterator[Order]:
        """Yield a principal's orders, the oldest first, read page by page as they are consumed."""
        with driver_errors():
            for row in self._row.by_owner.query(owner):
                yield row.to_order()

    def every(self, page_size: int = REPORT_PAGE) -> Iterator[Order]:
        """Yield all orders, read in pages of `page_size`."""
        with driver_errors():
            for row in self._row.scan(page_size=page_size):
                yield row.to_order()

    def commit(self, order: Order, fence: Fence | None) -> Commit:
        """Write the order and take its pieces out of stock: all or nothing, and only while the fence holds.

        The driver's own retries have one ClientRequestToken, so that a lost answer doesn't cause a second effect.
        """
        try:
            with TransactWrite(connection=self._driver.connection) as transaction:
                if fence:
                    claim = self._driver.bind(ClaimRow, fence.table)
                    mine = claim.attempt_id == fence.attempt_id
                    transaction.condition_check(claim, fence.pk, condition=mine)
                transaction.save(self._order_row(order), condition=self._row.id.does_not_exist())
                self._take_from_stock(transaction, order)
        except TransactWriteError as error:
            return self._why(error, fenced=fence is not None)
        return Commit.WRITTEN

    def _order_row(self, order: Order) -> OrderRow:
        lines = [LineMap.of(line) for line in order.basket.lines]
        return self._row(
            id=order.id,
            owner=order.owner,
            status=order.status,
            lines=lines,
            total=order.basket.total,
            total_minor=order.basket.total,
            currency=order.basket.currency,
            created_at=order.created_at,
        )

    def _take_from_stock(self, transaction: TransactWrite, order: Order) -> None:
        product = self._product
        for line in order.basket.lines:
            as_priced = (product.price == line.price) & (product.currency == order.basket.currency)
            transaction.update(
                product(id=line.product_id),
                actions=[product.stock.set(product.stock - line.quantity)],
                condition=as_priced & (product.stock >= line.quantity),
            )

    @staticmethod
    def _why(error: TransactWriteError, *, fenced: bool) -> Commit:
        if error.cause_response_code in CONFLICTS:
            return Commit.CONFLICT
        reasons = [reason.code if reason else None for reason in error.cancellation_reasons]
        if refusal := refusal_of(reasons, fenced=fenced):
            return refusal
        with driver_errors():
            raise error
