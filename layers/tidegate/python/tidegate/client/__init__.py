"""A client that doesn't make a storm worse: httpx with deadlines, bounded retries, and patience.

    from tidegate.client import Client, Conduct

    client = Client(base_url="https://api.example.com", conduct=Conduct(keys_for=("/v1/orders",)))
    client.post("/v1/orders", json=order)

It needs httpx (`pip install 'tidegate[client]'`) and nothing of Tidegate's server side.
"""

try:
    import httpx  # noqa: F401  imported for its error alone
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError("tidegate.client needs httpx: pip install 'tidegate[client]'", name="httpx") from missing

from tidegate.client.backoff import Backoff
from tidegate.client.clients import AsyncClient, Client
from tidegate.client.conduct import Conduct
from tidegate.client.errors import DeadlineExceededError, NotSentError, QuotaExhaustedError, ThrottledError
from tidegate.client.hosts import Hosts
from tidegate.client.inheritance import passing_on
from tidegate.client.transport import AsyncRetryingTransport, RetryingTransport

__all__ = [
    "AsyncClient",
    "AsyncRetryingTransport",
    "Backoff",
    "Client",
    "Conduct",
    "DeadlineExceededError",
    "Hosts",
    "NotSentError",
    "QuotaExhaustedError",
    "RetryingTransport",
    "ThrottledError",
    "passing_on",
]
