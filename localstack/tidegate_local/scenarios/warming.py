"""Environments that are there before the traffic is: a cold start takes longer than any answer that is measured."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx

from tidegate_local.state import LocalState

_PATIENCE_S = 120.0
_WARM_WITHIN_S = 1.0
_ROUNDS = 12


def warm(state: LocalState, paths: Sequence[str], environments: int) -> None:
    """Ask for paths in turn from so many clients at once, until each was answered without a wait, one after another."""
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
            quick = quick + 1 if slowest_s(paths[number % len(paths)]) < _WARM_WITHIN_S else 0
            if quick == max(2, len(paths)):
                return
