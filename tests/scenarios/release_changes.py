"""New versions that aren't as they should be, as text that is put into the copy of the repository."""

from __future__ import annotations

from collections.abc import Callable

from examples.shop.changes import CHECKOUT
from tidegate_local.scenarios.clone import Clone

Change = Callable[[Clone], None]

STAGES = "infra/stages.py"
_VERSIONS = "functions/migrate/versions"


def edited(text: str = "# a release", file: str = CHECKOUT) -> Change:
    """Change one file."""
    return lambda clone: clone.append(file, text)


def together(*changes: Change) -> Change:
    """Change several things."""

    def change(clone: Clone) -> None:
        for each in changes:
            each(clone)

    return change


def stage(settings: str = "", release: str = "") -> Change:
    """Change settings of the local stage, and of its way of releasing."""
    rest = f", {settings}" if settings else ""
    return edited(
        f"LOCAL = replace(LOCAL, release=replace(LOCAL.release, {release}){rest})\n"
        "STAGES = MappingProxyType({stage.name: stage for stage in (LOCAL, AWS)})",
        STAGES,
    )


def migration(name: str, text: str) -> Change:
    """Add a migration, which the new version needs."""

    def change(clone: Clone) -> None:
        (clone.root / _VERSIONS / f"{name}.py").write_text(text, encoding="utf-8")
        clone.append("functions/api/schema.py", f"SCHEMA_VERSION = {int(name[:4])}")

    return change


# A share of the orders ends the function's process, as a fault in a C extension does, or too little memory.
CRASHING_ORDERS = """
import os as _os
import random as _random

_good_place = Checkout.place


def _last_place(self, wish):
    if _random.random() < {share}:
        _os._exit(1)
    return _good_place(self, wish)


Checkout.place = _last_place
"""

# A share of the orders never ends.
ENDLESS_ORDERS = """
import random as _random
import time as _time

_good_place = Checkout.place


def _endless_place(self, wish):
    if _random.random() < {share}:
        _time.sleep(60)
    return _good_place(self, wish)


Checkout.place = _endless_place
"""

# Every order gets its channel. `computed` is called for each of them.
CHANNEL = '''
"""Every order has a channel."""

from functions.migrate.migration import Backfill

BAKE_S = 7 * 86_400
expand = Backfill("orders", "attribute_not_exists(channel)", "SET channel = :web", values={":web": {"S": "web"}})
contract = None
down = Backfill("orders", "attribute_exists(channel)", "REMOVE channel")
'''

# It reads what no order has.
REFUSED = CHANNEL.replace(
    'values={":web": {"S": "web"}})', 'computed=lambda item: {":web": item["sold_by"]}, reads=("sold_by",))'
)

# Another one, which fails in the middle of the table.
HALF_WAY = '''
"""Every order has a warehouse; after forty of them it fails."""

from functions.migrate.migration import Backfill

BAKE_S = 7 * 86_400
_seen = []


def _warehouse(item):
    _seen.append(item["id"])
    if len(_seen) > 40:
        raise LookupError(f"no warehouse for {item['id']['S']}")
    return {":warehouse": {"S": "north"}}


expand = Backfill("orders", "attribute_not_exists(warehouse)", "SET warehouse = :warehouse", computed=_warehouse)
contract = None
down = Backfill("orders", "attribute_exists(warehouse)", "REMOVE warehouse")
'''

# As well as ever, until this file is there: then it has no products.
ILL_WHEN_TOLD = """
from pathlib import Path as _Path

_good_handler = handler


def handler(event, context):
    if _Path({file!r}).exists() and "products" in event.get("path", ""):
        return {{"statusCode": 503, "headers": {{}}, "body": "{{}}"}}
    return _good_handler(event, context)
"""
HANDLER = "functions/api/handler.py"

# It starts, and never answers.
HANGING = """
import time as _time


def handler(event, context):
    _time.sleep(600)
"""

# A resource that fails once both aliases are what the template says.
FAILING_RESOURCE = """
from aws_cdk import CfnResource as _CfnResource

_made = TidegateStack.__init__


def _failing(self, *arguments, **settings):
    _made(self, *arguments, **settings)
    nobody = {"ServiceToken": "arn:aws:lambda:us-east-1:000000000000:function:nobody"}
    last = _CfnResource(self, "Failing", type="Custom::Failing", properties=nobody)
    for function in (self.protected.api, self.protected.worker):
        last.node.add_dependency(function.alias)


TidegateStack.__init__ = _failing
"""

# Lambda's API fails when old versions are to be deleted.
FAILING_PRUNE = """
def _failing_prune(self, *_arguments):
    raise ConnectionError("throttled on purpose")


Aliases.prune = _failing_prune
"""
