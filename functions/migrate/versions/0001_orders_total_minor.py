"""An order's `total` becomes `total_minor`, which says its unit to whoever reads the table without this code.

Code of schema 0 writes `total`, code of schema 1 writes both. An order that is written by old code after the backfill
went by has `total` alone: `contract` takes it along. The code itself reads neither, it sums up an order's lines.
"""

from functions.migrate.migration import Backfill

BAKE_S = 7 * 86_400

_NAMES = {"#old": "total", "#new": "total_minor"}

expand = Backfill(
    "orders",
    where="attribute_exists(#old) AND attribute_not_exists(#new)",
    update="SET #new = #old",
    names=_NAMES,
)
contract = Backfill(
    "orders",
    where="attribute_exists(#old)",
    update="SET #new = if_not_exists(#new, #old) REMOVE #old",
    names=_NAMES,
)
# Both are in every order while the old form is there, so that nothing is lost by taking the new one away.
down = Backfill(
    "orders",
    where="attribute_exists(#new) AND attribute_exists(#old)",
    update="REMOVE #new",
    names=_NAMES,
)
