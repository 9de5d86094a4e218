"""An OIDC issuer on loopback: its discovery document and its keys, both of which can be made to fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

DISCOVERY = "/.well-known/openid-configuration"
KEYS = "/keys"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def jwk(key: PrivateKey, name: str | None, **members: Any) -> dict[str, Any]:
    """A public key as it is published."""
    if isinstance(key, rsa.RSAPrivateKey):
        made: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        made = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return made | ({} if name is None else {"kid": name}) | members


class OidcIssuer:
    """The issuer; all of its attributes may be changed while it runs.

    Attributes:
        url: its name.
        keys: what it publishes, as JWKs.
        said: members of its discovery document that take the place of the right ones.
        moved: where its keys are said to have moved; None: they are where they are.
        down: whether it answers nothing but 503.
        answering: cleared, it keeps whoever asks waiting until it is set.
        asked: the paths that were asked for.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.keys: list[dict[str, Any]] = []
        self.said: dict[str, Any] = {}
        self.moved: str | None = None
        self.down = False
        self.answering = Event()
        self.answering.set()
        self.asked: list[str] = []

    def document(self, path: str) -> dict[str, Any]:
        """The document at a path."""
        if path == DISCOVERY:
            return {"issuer": self.url, "jwks_uri": f"{self.url.rstrip('/')}{KEYS}"} | self.said
        return {"keys": self.keys}


@contextmanager
def oidc_issuer() -> Iterator[OidcIssuer]:
    """Serve an issuer on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked.append(self.path)
            issuer.answering.wait()
            moved = issuer.moved if self.path == KEYS else None
            self.send_response(503 if issuer.down else 302 if moved else 200)
            if moved:
                self.send_header("Location", moved)
            self.end_headers()
            self.wfile.write(json.dumps(issuer.document(self.path)).encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        issuer = OidcIssuer(f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield issuer
        finally:
            issuer.answering.set()
            server.shutdown()
            thread.join()
