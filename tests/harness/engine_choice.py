"""Which engine the tests that need a cloud run on: TIDEGATE_TEST_ENGINE, which `make test ENGINE=...` sets."""

from __future__ import annotations

import os

VARIABLE = "TIDEGATE_TEST_ENGINE"
ENGINE = os.environ.get(VARIABLE) or "embedded"
# The words that `tidegate up` takes for it.
CHOICE = ("--engine", ENGINE)
