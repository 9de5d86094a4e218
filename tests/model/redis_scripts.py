"""The library's own Lua scripts of claims, run on one key's hash: a pure function of what is kept, and of the time.

The few commands that these scripts use are here in Python; the contract suite shows that they do the same in Redis.
What isn't known is an error.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, NamedTuple

from lupa import lua51

from tidegate.stores.redis.scripts import Call


class Kept(NamedTuple):
    """One key's hash.

    Attributes:
        fields: its fields and their values, sorted.
        expires_ms: when it is gone.
    """

    fields: tuple[tuple[bytes, bytes], ...]
    expires_ms: int | None = None


class Evaluated(NamedTuple):
    """A script's reply, hashable, and what is kept after it."""

    reply: Any
    kept: Kept | None


@lru_cache(maxsize=200_000)
def evaluated(call: Call, kept: Kept | None, now_ms: int) -> Evaluated:
    """Run a call of the library's; its keys and arguments must be tuples."""
    if kept is not None and kept.expires_ms is not None and kept.expires_ms <= now_ms:
        kept = None
    commands = _Commands(kept, now_ms)
    runtime, run = _compiled(call.script.source)
    arguments = [_bytes(argument) for argument in call.arguments]
    reply = run(runtime.table(*map(_bytes, call.keys)), runtime.table(*arguments), commands.call)
    return Evaluated(_plain(reply), commands.kept())


class _Commands:
    def __init__(self, kept: Kept | None, now_ms: int) -> None:
        self._fields = dict(kept.fields) if kept else {}
        self._expires_ms = kept.expires_ms if kept else None
        self._now_ms = now_ms

    def kept(self) -> Kept | None:
        return Kept(tuple(sorted(self._fields.items())), self._expires_ms) if self._fields else None

    def call(self, command: bytes, *arguments: Any) -> Any:
        return getattr(self, f"_{command.decode().lower()}")(*[_bytes(argument) for argument in arguments])

    def _time(self) -> Any:
        return _table(str(self._now_ms // 1000).encode(), str(self._now_ms % 1000 * 1000).encode())

    def _type(self, _key: bytes) -> Any:
        return lua51_runtime().table_from({b"ok": b"hash" if self._fields else b"none"})

    def _hget(self, _key: bytes, name: bytes) -> bytes | bool:
        return self._fields.get(name, False)

    def _hmget(self, _key: bytes, *names: bytes) -> Any:
        return _table(*[self._fields.get(name, False) for name in names])

    def _hset(self, _key: bytes, *pairs: bytes) -> int:
        self._fields |= dict(zip(pairs[::2], pairs[1::2], strict=True))
        return len(pairs) // 2

    def _hdel(self, _key: bytes, name: bytes) -> int:
        return int(self._fields.pop(name, None) is not None)

    def _del(self, _key: bytes) -> int:
        self._fields, self._expires_ms = {}, None
        return 1

    def _pexpire(self, _key: bytes, milliseconds: bytes) -> int:
        self._expires_ms = self._now_ms + int(float(milliseconds))
        return 1


@cache
def lua51_runtime() -> Any:
    return lua51.LuaRuntime(encoding=None, unpack_returned_tuples=False)


@cache
def _compiled(source: str) -> tuple[Any, Any]:
    """Return the runtime, and the script as a function of KEYS, ARGV and `redis.call`."""
    runtime = lua51_runtime()
    head = "local KEYS, ARGV, call = ...\nlocal redis = { call = call }\n"
    return runtime, runtime.compile((head + source).encode())


def _table(*values: bytes | bool) -> Any:
    return lua51_runtime().table(*values)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _plain(reply: Any) -> Any:
    if lua51.lua_type(reply) == "table":
        return tuple(_plain(reply[at]) for at in range(1, len(reply) + 1))
    return int(reply) if isinstance(reply, float) else reply
