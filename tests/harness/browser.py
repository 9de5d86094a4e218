"""A browser that is installed here, without a screen, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMED_BY = "TIDEGATE_TEST_BROWSER"
_ON_PATH = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def browser_binary() -> str | None:
    """The one that TIDEGATE_TEST_BROWSER names, else a Chromium on PATH; None: there is none.

    RuntimeError if the named one isn't there.
    """
    if named := os.environ.get(NAMED_BY):
        if found := shutil.which(named):
            return found
        raise RuntimeError(f"{NAMED_BY} names {named}, which isn't an executable.")
    return next(filter(None, map(shutil.which, _ON_PATH)), None)


@contextmanager
def running_browser(binary: str) -> Iterator[Browser]:
    """The browser during the block. As long as it runs, no event loop can be run in this thread."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=list(_OPTIONS))
        try:
            yield browser
        finally:
            browser.close()
