"""POST /v1/exports: the caller's orders, or all products, as one file; requests over the limit are queued."""

import csv
import io
from collections.abc import Iterator
from itertools import islice

from fastapi import APIRouter, Response

from functions.api.domain.export import ORDER_COLUMNS, PRODUCT_COLUMNS, Row, order_rows, product_rows
from functions.api.problems import problems
from functions.api.routes.admitted import Admitted
from functions.api.routes.shapes import ExportIn, ExportOut
from functions.api.shop import shop
from tidegate import ProblemError, TokenBucket, policy

MAX_ROWS = 10_000  # about 3 MB of JSON; a Lambda response may have 6 MB

router = APIRouter(prefix="/v1/exports", tags=["exports"])


@router.post(
    "",
    operation_id="exportRows",
    summary="Export orders or products",
    response_class=Response,
    responses={
        200: {
            "description": "The rows, in the asked format.",
            "model": ExportOut,
            "content": {"text/csv": {"schema": {"type": "string"}}},
        },
        **problems({422: "A body of another shape, or more rows than one answer can carry."}),
    },
)
@policy(limits=[TokenBucket("1/s", burst=5)], priority="sheddable", overflow="queue")
def export_rows(body: ExportIn, admitted: Admitted) -> Response:
    """Write flat rows, one per order line or product; money in minor units."""
    rows = list(islice(_rows(body, admitted.principal), MAX_ROWS + 1))
    if len(rows) > MAX_ROWS:
        detail = f"One answer carries {MAX_ROWS} rows; there are more."
        raise ProblemError(422, "export-too-large", "Export too large", detail, max_rows=MAX_ROWS)
    content = _csv(body, rows) if body.format == "csv" else _json(body, rows)
    media_type = "text/csv" if body.format == "csv" else "application/json"
    attachment = f'attachment; filename="{body.kind}.{body.format}"'
    return Response(content, media_type=media_type, headers={"Content-Disposition": attachment})


def _rows(body: ExportIn, principal: str) -> Iterator[Row]:
    if body.kind == "orders":
        return order_rows(shop().orders.owned_by(principal))
    return product_rows(shop().products.every())


def _json(body: ExportIn, rows: list[Row]) -> str:
    return ExportOut(kind=body.kind, rows=rows).model_dump_json()


def _csv(body: ExportIn, rows: list[Row]) -> str:
    columns = ORDER_COLUMNS if body.kind == "orders" else PRODUCT_COLUMNS
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
