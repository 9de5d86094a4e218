"""Photographs the console while Redis is down under traffic.

`python -m tests.scenarios.console_picture docs/console.png` works on the cloud that is up (TIDEGATE_STATE_DIR),
whose Redis is killed and started again.
"""

from __future__ import annotations

import sys
import time

from examples.shop import flows
from examples.shop.goods import Goods
from tests.harness.browser import NAMED_BY, browser_binary, running_browser
from tests.harness.console import running_console
from tidegate_local.layout import StateFolder
from tidegate_local.scenarios.faults import RedisFaults
from tidegate_local.scenarios.traffic import Flow, Traffic
from tidegate_local.state import LocalState

CALM_S, DOWN_S = 24, 9


def traffic(goods: Goods) -> list[Flow]:
    """Three tiers that read, order, ask for more reports than they may, and export."""
    return [
        flows.orders("internal", 3, goods, most=3),
        flows.pages("internal", 4, most=2),
        flows.pages("pro", 9, most=2),
        flows.sheddable_pages("free", 6, most=2),
        flows.reports("pro", 3, most=2),
        flows.exports("pro", 1.5, goods, most=2),
    ]


def main(file: str) -> None:
    binary = browser_binary()
    if binary is None:
        sys.exit(f"There is no Chromium on PATH: install one, or name it by {NAMED_BY}.")
    folder = StateFolder.from_environ()
    state = LocalState.require(folder.state_file)
    with running_console(folder.path) as address, running_browser(binary) as browser:
        page = browser.new_page(viewport={"width": 1180, "height": 1000}, color_scheme="light")
        page.goto(address)
        try:
            with Goods.stocked(state) as goods, Traffic(state, traffic(goods)):
                time.sleep(CALM_S)
                page.locator("button[data-name=kill]").click()
                time.sleep(DOWN_S)
                page.mouse.move(0, 0)
                page.screenshot(path=file, full_page=True)
        finally:
            RedisFaults(folder).heal()


if __name__ == "__main__":
    main(*sys.argv[1:])
