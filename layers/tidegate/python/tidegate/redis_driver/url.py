"""A Redis server's address, read from its URL.

The forms are those of the `redis` and `rediss` URI schemes registered with IANA, and `unix://`. The options have
redis-py's names. An unknown option is refused by name: if it were ignored, it might be one that makes the connection
safe.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

DEFAULT_PORT = 6379

_VERIFY = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class Tls(NamedTuple):
    """How the server's certificate is checked, and the client's certificate.

    Attributes:
        ca_certs, ca_path: a file, a folder of trusted certificates; the system's if neither is given.
        certfile, keyfile: the client's certificate and its key.
        verify: whether the server's certificate must be trusted.
        check_hostname: whether the certificate must be the host's.
    """

    ca_certs: str | None = None
    ca_path: str | None = None
    certfile: str | None = None
    keyfile: str | None = None
    verify: ssl.VerifyMode = ssl.CERT_REQUIRED
    check_hostname: bool = True

    def context(self) -> ssl.SSLContext:
        """Return a context with the certificates.

        Raises:
            OSError: a file can't be read, or holds no certificate or key (as ssl.SSLError).
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = self.check_hostname and self.verify is not ssl.CERT_NONE
        context.verify_mode = self.verify
        if self.ca_certs or self.ca_path:
            context.load_verify_locations(self.ca_certs, self.ca_path)
        elif self.verify is not ssl.CERT_NONE:
            context.load_default_certs()
        if self.certfile:
            context.load_cert_chain(self.certfile, self.keyfile)
        return context


class Address(NamedTuple):
    """One server's address, with the database and the credentials.

    Attributes:
        host, port: a TCP address.
        path: a Unix socket's path, in place of host and port.
        database: selected if it isn't 0.
        username, password: sent with AUTH if there is a password.
        tls: the TLS settings; None: no TLS.
    """

    host: str = "localhost"
    port: int = DEFAULT_PORT
    path: str | None = None
    database: int = 0
    username: str | None = None
    password: str | None = None
    tls: Tls | None = None

    def at(self, host: str, port: int) -> Address:
        """Return the address of another node of the same cluster."""
        return self._replace(host=host, port=port, path=None)

    def __repr__(self) -> str:
        return f"Address({self.path or f'{self.host}:{self.port}'}/{self.database})"


def parse(url: str) -> Address:
    """Read `redis[s]://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE][?OPTIONS]` or `unix://[[USER]:PASSWORD@]PATH`.

    Everything may be percent-encoded. Options: db, username, password, and with rediss:// those that begin with ssl_.

    Raises:
        ValueError: it can't be read; the message gives the reason without the URL, which may hold a password.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"redis", "rediss", "unix"}:
        raise ValueError("it must begin with redis://, rediss:// or unix://")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    address: dict[str, Any] = _place(parts) | _user(parts) | _taken(options, _OPTIONS)
    if parts.scheme == "rediss":
        address["tls"] = Tls(**_taken(options, _TLS_OPTIONS))
    if options:
        known = [*_OPTIONS, *(_TLS_OPTIONS if parts.scheme == "rediss" else ())]
        raise ValueError(f"it has no option {', '.join(sorted(options))}; there are {', '.join(known)}")
    return Address(**address)


def _taken(options: dict[str, str], readers: Readers) -> dict[str, Any]:
    """Remove the options that have a reader, and return the fields that they set."""
    return {name: read(options.pop(option)) for option, (name, read) in readers.items() if option in options}


def _place(parts: SplitResult) -> dict[str, Any]:
    if parts.scheme == "unix":
        path = unquote((parts.hostname or "") + parts.path)
        if not path:
            raise ValueError("it names no socket")
        return {"path": path}
    port = DEFAULT_PORT if parts.port is None else parts.port
    if port == 0:
        raise ValueError("there is no port 0")
    host = unquote(parts.hostname or "localhost")
    return {"host": host, "port": port, "database": _database(unquote(parts.path).strip("/") or "0")}


def _user(parts: SplitResult) -> dict[str, Any]:
    given = {"username": parts.username, "password": parts.password}
    return {name: unquote(value) for name, value in given.items() if value}


def _database(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("its database is no number")
    return int(text)


def _verify(text: str) -> ssl.VerifyMode:
    if text not in _VERIFY:
        raise ValueError(f"ssl_cert_reqs is one of {', '.join(_VERIFY)}")
    return _VERIFY[text]


def _flag(text: str) -> bool:
    if text.lower() not in _FLAGS:
        raise ValueError("ssl_check_hostname is true or false")
    return _FLAGS[text.lower()]


Readers = Mapping[str, tuple[str, Callable[[str], Any]]]

_OPTIONS: Readers = {"db": ("database", _database), "username": ("username", str), "password": ("password", str)}
_TLS_OPTIONS: Readers = {
    "ssl_ca_certs": ("ca_certs", str),
    "ssl_ca_path": ("ca_path", str),
    "ssl_certfile": ("certfile", str),
    "ssl_keyfile": ("keyfile", str),
    "ssl_cert_reqs": ("verify", _verify),
    "ssl_check_hostname": ("check_hostname", _flag),
}
