"""Callers by the subject of their JWT: whose tokens count as whose, and what a token that isn't valid is worth."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from base64 import urlsafe_b64encode
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI, Request

from tests.harness.waiting import eventually
from tidegate import ConfigurationError, Tiers, TokenBucket, policy
from tidegate.identity import jwks
from tidegate.identity.jwt import JwtSubject
from tidegate.identity.proxies import TrustedProxies

SECRET = "a-secret-of-more-than-sixty-four-characters-for-the-longest-algorithm"
ISSUER = "https://login.example.com"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def token(key=SECRET, algorithm="HS256", headers=None, **claims):
    said = {"sub": "ann", "iss": ISSUER, "aud": "shop", "exp": time.time() + 60, **claims}
    return jwt.encode({k: v for k, v in said.items() if v is not None}, key, algorithm, headers=headers)


def by(text):
    return {"authorization": f"Bearer {text}"}


def shop():
    app = FastAPI(title="Shop")

    @app.get("/who")
    @policy(limits=[TokenBucket(Tiers({"pro": "100/s", "free": "10/s"}, default="free"), name="plan")])
    async def who(request: Request):
        return request.state.tidegate.principal

    @app.post("/orders")
    @policy(idempotent=True)
    async def order(request: Request):
        return request.state.tidegate.principal

    return app


HMAC = {"key": SECRET, "algorithms": ["HS256"], "audience": "shop", "issuer": ISSUER, "tier": "plan"}


@pytest.fixture
def api(run, memory):
    return run(shop(), memory, identify=JwtSubject(**HMAC))


def principal(api, text):
    return api.get("/who", headers=by(text)).json()


def test_a_subject_is_the_caller_whatever_his_token_is_just_now(api):
    assert principal(api, token()) == principal(api, token(exp=time.time() + 90)) == f"jwt:{ISSUER}:ann"
    key = {"idempotency-key": "order-1"}
    first = api.post("/orders", headers={**by(token()), **key})
    again = api.post("/orders", headers={**by(token(exp=time.time() + 90)), **key})
    assert (first.status_code, again.headers.get("idempotent-replayed")) == (200, "true")
    assert "idempotent-replayed" not in api.post("/orders", headers={**by(token(sub="bob")), **key}).headers


@pytest.mark.parametrize(
    "bad",
    {
        "expired": token(exp=time.time() - 60),
        "without an end": token(exp=None),
        "for another audience": token(aud="bank"),
        "for nobody": token(aud=None),
        "from another issuer": token(iss="https://evil.example.com"),
        "signed with another key": token(SECRET[::-1]),
        "without a subject": token(sub=None),
        "with an empty subject": token(sub=""),
        "unsigned": jwt.encode({"sub": "ann", "iss": ISSUER, "aud": "shop", "exp": time.time() + 60}, None, "none"),
        "of another algorithm": token(algorithm="HS512"),
        "huge": token(more="x" * 10_000),
        "cut off": token()[:-10],
        "no token": "ann",
        "empty": "",
    }.items(),
    ids=lambda each: each[0],
)
def test_a_token_that_is_not_valid_says_nothing(api, bad):
    assert principal(api, bad[1]).startswith("ip:")


def test_without_a_token_a_caller_is_found_as_without_the_function(serve, memory):
    """Behind a trusted proxy by the address that it wrote, and in IPv6 by the network."""
    api = serve(shop(), replace(memory, trusted_proxies=TrustedProxies(hops=1)), identify=JwtSubject(**HMAC))
    for written, counted in (("203.0.113.9", "ip:203.0.113.9"), ("2001:db8::7", "ip:2001:db8::/64")):
        assert api.get("/who", headers={"x-forwarded-for": written}).json() == counted
    assert api.get("/who", key="k").json().startswith("key:")


def test_the_tier_is_a_claim(api):
    policies = [
        api.get("/who", headers=by(token(sub=plan, plan=plan))).headers["ratelimit-policy"] for plan in ("pro", "free")
    ]
    assert policies[0].startswith('"plan";q=100')
    assert policies[1].startswith('"plan";q=10;')


def test_a_public_key_is_no_secret(run, memory):
    api = run(shop(), memory, identify=JwtSubject(key=PEM, algorithms=["RS256"], audience="shop"))
    assert principal(api, token(RSA, "RS256")) == f"jwt:{ISSUER}:ann"
    header, claims, _ = token().split(".")
    mac = hmac.new(PEM.encode(), f"{header}.{claims}".encode(), hashlib.sha256).digest()
    forged = f"{header}.{claims}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    assert principal(api, forged).startswith("ip:")


def test_two_issuers_subjects_never_meet(run, memory):
    api = run(shop(), memory, identify=JwtSubject(**(HMAC | {"issuer": None})))
    assert principal(api, token()) != principal(api, token(iss="https://other.example.com"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"algorithms": []}, "write"),
        ({"algorithms": "HS256"}, "list of names"),
        ({"algorithms": ["none"]}, "can't be verified"),
        ({"algorithms": ["HS256", "RS256"]}, "not both"),
        ({"key": None}, "jwks_url"),
        ({"jwks_url": "https://x"}, "write the key, or"),
        ({"key": None, "jwks_url": "https://x"}, "isn't published"),
        ({"key": None, "jwks_url": "http://login.example.com/keys", "algorithms": ["RS256"]}, "https"),
    ],
)
def test_a_dangerous_argument_is_refused(wrong, message):
    with pytest.raises(ConfigurationError, match=message):
        JwtSubject(**(HMAC | wrong))


class Issuer:
    """A server of keys, which can be made to fail."""

    def __init__(self):
        self.keys, self.fetched, self.broken = {"one": RSA}, 0, False
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.fetched += 1
                published = [
                    {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())), "kid": name, "alg": "RS256"}
                    for name, key in issuer.keys.items()
                ]
                body = json.dumps({"keys": published}).encode()
                self.send_response(500 if issuer.broken else 200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/keys"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def issuer():
    made = Issuer()
    yield made
    made.close()


def published(issuer):
    return JwtSubject(jwks_url=issuer.url, algorithms=["RS256"], audience="shop")


def signed(key=RSA, name="one", **claims):
    return token(key, "RS256", {"kid": name}, **claims)


def test_published_keys_are_fetched_once(run, memory, issuer):
    api = run(shop(), memory, identify=published(issuer))
    assert [principal(api, signed()) for _ in range(5)] == [f"jwt:{ISSUER}:ann"] * 5
    assert principal(api, signed(OTHER)).startswith("ip:")
    assert issuer.fetched == 1


def test_a_flood_of_unknown_keys_causes_no_flood_of_fetches(run, memory, issuer):
    api = run(shop(), memory, identify=published(issuer))
    principal(api, signed())
    for n in range(8):
        assert principal(api, signed(name=f"made-up-{n}")).startswith("ip:")
    assert issuer.fetched == 1, "not before half a minute has passed"


def test_a_new_key_is_found(run, memory, issuer, monkeypatch):
    monkeypatch.setattr(jwks, "_EVERY_S", 0)
    api = run(shop(), memory, identify=published(issuer))
    principal(api, signed())
    issuer.keys["two"] = OTHER
    eventually(lambda: principal(api, signed(OTHER, "two")) == f"jwt:{ISSUER}:ann")


def test_while_no_keys_are_known_a_token_gets_503_and_others_are_served(run, memory, issuer, monkeypatch):
    monkeypatch.setattr(jwks, "_AFTER_FAILURE_S", 0)
    issuer.broken = True
    api = run(shop(), memory, identify=published(issuer))
    answer = api.get("/who", headers=by(signed()))
    assert answer.status_code == 503
    assert answer.json()["type"].endswith("#temporary-reduced-capacity")
    assert api.get("/who").json().startswith("ip:")
    issuer.broken = False
    eventually(lambda: api.get("/who", headers=by(signed())).status_code == 200)
