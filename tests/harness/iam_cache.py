"""A cache that IAM authenticates, before a real Redis: TLS, a few milliseconds away, and a check of every token.

Source: "Authenticating with IAM", Amazon ElastiCache User Guide; "Create a signed AWS API request", IAM User Guide.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import random
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import parse_qsl, quote

from tests.harness.certificates import make_certificate
from tests.harness.ports import free_port

_VALID_S = 900
_SKEW_S = 300
_DELAY_S = (0.001, 0.004)


class Identity(NamedTuple):
    """Who may connect: the cache's name, its user, and the secret key that signs."""

    cache: str
    user: str
    secret: str = "test"  # the engine's functions have no other


def fault(token: str, user: str, expected: Identity, now: datetime) -> str | None:
    """Return what is wrong with a token; None if the cache takes it."""
    host, slash, text = token.partition("/?")
    query = dict(parse_qsl(text, keep_blank_values=True))
    signature = query.pop("X-Amz-Signature", "")
    scope = query.get("X-Amz-Credential", "").split("/")[1:]
    wanted = {"Action": "connect", "User": expected.user, "ResourceType": "ServerlessCache"}
    wanted |= {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-SignedHeaders": "host"}
    if (host, slash, user) != (expected.cache, "/?", expected.user):
        return f"it is for {host} and {user}"
    wrong = [name for name, value in wanted.items() if query.get(name) != value]
    if wrong or len(scope) != 4 or scope[2:] != ["elasticache", "aws4_request"]:
        return f"its form: {', '.join(wrong) or 'X-Amz-Credential'}"
    with suppress(KeyError, ValueError):
        at = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        age_s = (now - at).total_seconds()
        if not -_SKEW_S <= age_s <= int(query["X-Amz-Expires"]) or int(query["X-Amz-Expires"]) > _VALID_S:
            return f"its age: {age_s:.0f} s, valid for {query['X-Amz-Expires']}"
        return (
            None if hmac.compare_digest(signature, _signature(host, query, scope, expected.secret)) else "its signature"
        )
    return "its form: X-Amz-Date, X-Amz-Expires"


def _signature(host: str, query: dict[str, str], scope: list[str], secret: str) -> str:
    sorted_query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(query.items()))
    canonical = f"GET\n/\n{sorted_query}\nhost:{host}\n\nhost\n{hashlib.sha256(b'').hexdigest()}"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    signed = f"AWS4-HMAC-SHA256\n{query['X-Amz-Date']}\n{'/'.join(scope)}\n{digest}"
    return hmac.digest(key, signed.encode(), "sha256").hex()


class IamCache:
    """Speaks TLS on a loopback port of its own, and hands on to a Redis under `user` and `password`.

    A token is exchanged for the password; everything else passes as it is, each reply 1 to 4 ms late.

    Attributes:
        taken: how many tokens were taken.
        refused: what was wrong with the others.
    """

    def __init__(self, redis_port: Callable[[], int], identity: Identity, password: str, folder: Path) -> None:
        self.port = free_port()
        self.taken, self.refused = 0, list[str]()
        self._redis_port, self._identity, self._password = redis_port, identity, password
        self.certificate = make_certificate(folder)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(self.certificate.certificate, self.certificate.key)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="iam-cache", daemon=True)

    @property
    def url(self) -> str:
        return f"rediss://127.0.0.1:{self.port}?ssl_ca_certs={self.certificate.certificate}"

    def __enter__(self) -> Self:
        self._thread.start()
        listening = asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._tls)
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result(30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        redis, to_redis = await asyncio.open_connection("127.0.0.1", self._redis_port())
        replies = asyncio.ensure_future(_late(redis, to_client))
        try:
            with suppress(asyncio.IncompleteReadError, OSError):
                while True:
                    words = await _command(client)
                    refusal = self._exchanged(words)
                    if refusal:
                        to_client.write(refusal)
                        return
                    to_redis.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
        finally:
            replies.cancel()
            for writer in (to_redis, to_client):
                writer.close()

    def _exchanged(self, words: list[bytes]) -> bytes | None:
        """Put the password into the place of a token; return the reply if it isn't taken."""
        name = words[0].upper()
        at = 1 if name == b"AUTH" else words.index(b"AUTH") + 1 if name == b"HELLO" and b"AUTH" in words else None
        if at is None:
            return None
        user, token = words[at].decode(), words[at + 1].decode()
        wrong = fault(token, user, self._identity, datetime.now(UTC))
        if wrong:
            self.refused.append(wrong)
            return b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
        self.taken += 1
        words[at + 1] = self._password.encode()
        return None


async def _command(reader: asyncio.StreamReader) -> list[bytes]:
    count = int((await reader.readuntil(b"\r\n"))[1:])
    words = []
    for _ in range(count):
        length = int((await reader.readuntil(b"\r\n"))[1:])
        words.append((await reader.readexactly(length + 2))[:-2])
    return words


async def _late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        await asyncio.sleep(random.uniform(*_DELAY_S))
        writer.write(data)
    writer.close()
