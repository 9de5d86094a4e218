"""Redis as ElastiCache Serverless has it: a real one in cluster mode, behind a proxy that is as strict.

TLS alone, IAM tokens, the access string that the stack gives its user, one virtual node, no script without keys, no
script that touches a key that it wasn't told, no request of more than 3,999 words.

The real server refuses what is beyond the access string. It also refuses a script's undeclared key: each connection has
a user of its own there, which may touch the declared keys alone while a script of it runs. What a script swallows by
`pcall` is in the server's log of refusals all the same.
Source: "Supported and restricted commands" and "Configuration and limits", Amazon ElastiCache User Guide; the words of
the refusal: django/channels_redis, issue 379.
"""

import asyncio
import contextlib
import itertools
import runpy
import shutil
import ssl
import tempfile
import threading
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.harness.certificates import make_certificate
from tests.harness.iam_tokens import IamTokens
from tests.harness.ports import free_port
from tests.harness.redis_server import RedisServer
from tests.harness.resp_streams import MalformedError, packed, read_command, read_reply

# Not imported: that would load CDK.
_ACCESS_FILE = Path(__file__).parents[2] / "infra/cdk/tidegate_cdk/api/cache_access.py"
ACCESS: str = runpy.run_path(str(_ACCESS_FILE))["ACCESS"]
_SCRIPTS = {b"EVAL", b"EVALSHA"}
_NO_KEYS = b"-ERR Lua scripts without any input keys are not supported.\r\n"
_MOST_WORDS = 3_999
_LAST_SLOT = 16_383
_OURS = [word.removeprefix("~") for word in ACCESS.split() if word.startswith("~")]
_REST = [word for word in ACCESS.split() if not word.startswith("~")]


class ServerlessRedis:
    """A context manager that runs both the server and what stands before it.

    `readable` are keys that a test's own lines in a script read beside the declared ones.
    `announced_port` is what CLUSTER SLOTS says: another proxy's, if one stands before this.
    """

    def __init__(self, tokens: IamTokens | None = None, readable: tuple[str, ...] = ()) -> None:
        self.server = RedisServer(cluster=True)
        self.tokens = tokens or IamTokens()
        self.host, self.port = "127.0.0.1", free_port()
        self.announced_port = self.port
        self.refused: list[str] = []
        self.tokens_seen = 0
        self._readable = readable
        self._folder = Path(tempfile.mkdtemp(prefix="serverless-"))
        self._certificate = make_certificate(self._folder)
        self._users = (f"connection-{number}" for number in itertools.count())
        self._connections: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="serverless-redis", daemon=True)

    def __enter__(self) -> Self:
        self.server.__enter__()
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.server.__exit__(kind, error, trace)
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def url(self) -> str:
        return f"rediss://{self.host}:{self.port}/0?ssl_ca_certs={self._certificate.certificate}"

    def heal(self) -> None:
        """An empty server, and nothing refused so far."""
        self.server.heal()
        self.server.command("ACL", "LOG", "RESET")
        self.refused.clear()

    def denied(self) -> list[str]:
        """What was refused since `heal`, here or by the server, in a script or outside."""
        return [*self.refused, *[_told(entry) for entry in self.server.command("ACL", "LOG", 100)]]

    async def _listen(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate.certificate, self._certificate.key)
        self._listener = await asyncio.start_server(self._accept, self.host, self.port, ssl=context, backlog=512)
        self._admin = await asyncio.open_connection(self.server.host, self.server.port)
        self._turn = asyncio.Lock()

    async def _end(self) -> None:
        self._listener.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._admin[1].close()

    def _run(self, what: Any) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(timeout=20)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await _Client(self, next(self._users), reader, writer).serve()
        except (OSError, asyncio.IncompleteReadError, MalformedError, asyncio.CancelledError):
            pass  # the client has left, or this ends
        except Exception as error:  # noqa: BLE001  whoever asks must not take it for the library's failure
            self.refused.append(repr(error))
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _administer(self, *words: str | bytes) -> None:
        async with self._turn:
            reader, writer = self._admin
            writer.write(packed(*words))
            reply = await read_reply(reader)
        if reply != b"+OK\r\n":
            raise RuntimeError(f"the server refused {words[:3]!r}: {reply!r}")

    def readable_beside(self) -> Iterator[bytes]:
        return (key.encode() for key in self._readable)


class _Client:
    """One connection: commands are answered in order, here or by the server."""

    def __init__(
        self, cache: ServerlessRedis, user: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._cache, self._user = cache, user
        self._reader, self._writer = reader, writer
        self._known = False
        self._may: list[bytes] | None = None

    async def serve(self) -> None:
        cache = self._cache
        await cache._administer("ACL", "SETUSER", self._user, "reset", *_REST, "on", ">secret")
        upstream, to_upstream = await asyncio.open_connection(cache.server.host, cache.server.port)
        try:
            to_upstream.write(packed("AUTH", self._user, "secret"))
            assert await read_reply(upstream) == b"+OK\r\n"
            while (command := await read_command(self._reader)) is not None:
                answer = await self._answer(command)
                if answer is None:
                    to_upstream.write(packed(*command))
                    answer = await read_reply(upstream)
                self._writer.write(answer)
        finally:
            to_upstream.close()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(cache._loop.create_task(_gone(cache, self._user)))

    async def _answer(self, command: list[bytes]) -> bytes | None:
        """What is answered here; None: the server's to answer, with the user's rights as they are for this command."""
        verb = command[0].upper()
        if len(command) > _MOST_WORDS:
            return self._refuse(f"{verb.decode()} with {len(command)} words", b"-ERR too many arguments\r\n")
        if verb == b"AUTH":
            return self._signed_in(*[word.decode() for word in command[1:]])
        if not self._known:
            return b"-NOAUTH Authentication required.\r\n"
        if verb in _SCRIPTS:
            return await self._script(verb, command[3 : 3 + int(command[2])])
        await self._limit_to([pattern.encode() for pattern in _OURS])
        return self._slots() if [word.upper() for word in command] == [b"CLUSTER", b"SLOTS"] else None

    async def _script(self, verb: bytes, keys: list[bytes]) -> bytes | None:
        if not keys:
            return self._refuse(f"{verb.decode()} without keys", _NO_KEYS)
        ours = [key for key in keys if any(fnmatchcase(key.decode("latin-1"), pattern) for pattern in _OURS)]
        await self._limit_to([*map(_literally, ours), *self._cache.readable_beside()])
        return None

    def _slots(self) -> bytes:
        """All slots on one node, under this one's name."""
        host, port = self._cache.host.encode(), self._cache.announced_port
        node = b"*3\r\n$%d\r\n%b\r\n:%d\r\n$40\r\n%b\r\n" % (len(host), host, port, b"0" * 40)
        return b"*1\r\n*3\r\n:0\r\n:%d\r\n%b" % (_LAST_SLOT, node)

    def _signed_in(self, user: str = "", token: str = "") -> bytes:
        self._cache.tokens_seen += 1
        self._known = self._cache.tokens.accepts(user, token)
        if self._known:
            return b"+OK\r\n"
        return self._refuse("a token", b"-WRONGPASS invalid username-password pair or user is disabled.\r\n")

    def _refuse(self, what: str, answer: bytes) -> bytes:
        self._cache.refused.append(what)
        return answer

    async def _limit_to(self, patterns: list[bytes]) -> None:
        if patterns != self._may:
            rules = [b"~" + pattern for pattern in patterns]
            await self._cache._administer("ACL", "SETUSER", self._user, "resetkeys", *rules)
            self._may = patterns


async def _gone(cache: ServerlessRedis, user: str) -> None:
    async with cache._turn:
        reader, writer = cache._admin
        writer.write(packed("ACL", "DELUSER", user))
        await read_reply(reader)


def _literally(key: bytes) -> bytes:
    """The pattern of one key; a rule can hold no space, so any byte may stand there."""
    pattern = b""
    for byte in key:
        letter = bytes([byte])
        pattern += b"?" if letter.isspace() or not byte else b"\\" + letter if letter in b"*?[]\\" else letter
    return pattern


def _told(entry: list[Any] | dict[Any, Any]) -> str:
    pairs = zip(entry[::2], entry[1::2], strict=True) if isinstance(entry, list) else entry.items()
    said = {_text(name): _text(value) for name, value in pairs}
    return f"{said['reason']} {said['object']} ({said['context']})"


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
