"""Environments that are there before the traffic is: a cold start takes longer than any answer that is measured."""

from concurrent.futures import ThreadPoolExecutor

import httpx

from tidegate_local.state import LocalState

_PATIENCE_S = 120.0


def warm(state: LocalState, environments: int) -> None:
    """Call the API from so many clients at once, until none of them had to wait for a cold start."""
    with (
        httpx.Client(timeout=_PATIENCE_S, trust_env=False) as http,
        ThreadPoolExecutor(environments) as clients,
    ):
        for _ in range(3):
            list(clients.map(lambda _: http.get(f"{state.api_url}/health/ready").status_code, range(environments)))
