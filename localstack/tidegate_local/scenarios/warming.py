"""Environments that are there before the traffic is: a cold start takes longer than any answer that is measured."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from tidegate_local.state import LocalState

_PATIENCE_S = 120.0
_WARM_WITHIN_S = 1.0
_ROUNDS = 12
# The second one loads what talks to the tables, which an environment does only when it is first asked.
_PATHS = ("/health/ready", "/v1/orders/none")


def warm(state: LocalState, environments: int) -> None:
    """Call the API from so many clients at once, until twice in a row none of them had to wait."""
    with (
        httpx.Client(timeout=_PATIENCE_S, trust_env=False, headers={"x-api-key": state.key("internal")}) as http,
        ThreadPoolExecutor(environments) as clients,
    ):

        def slowest_s(path: str) -> float:
            began = time.monotonic()
            list(clients.map(lambda _: http.get(state.api_url + path), range(environments)))
            return time.monotonic() - began

        quick = 0
        for number in range(_ROUNDS):
            quick = quick + 1 if slowest_s(_PATHS[number % 2]) < _WARM_WITHIN_S else 0
            if quick == 2:
                return
