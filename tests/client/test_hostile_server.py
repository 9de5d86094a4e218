"""A server that sends what it likes: its client tells the truth, in time, and loses no connection."""

import socket
from unittest import mock

import httpx
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.client.simulated_faces import ELSEWHERE, HOME, SimulatedClient
from tests.client.simulated_network import End, Piece, Script, SimulatedServer, SimulatedTime
from tidegate.client import NotSentError

HTTPX_S_OWN = (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, httpx.StreamError)
LATE_S = 0.05

digits = st.text("0123456789", min_size=1, max_size=40)
dates = st.one_of(
    st.just("Wed, 21 Oct 2099 07:28:00 GMT"),
    st.builds("Wed, {} Oct {} {}:00:00 {}".format, digits, digits, digits, st.sampled_from(["GMT", "+9999", "-2359"])),
    st.builds("Wed, 21 Oct {} 07:28:00 +{}".format, digits, digits),
)
structured = st.lists(
    st.one_of(
        st.sampled_from(['"a";r=0;t=30', '"a";r=3;t=2', '"a";r=1;t=@1', '%"%ff"', ":====:", "(", "?1", '"b";r=0']),
        st.builds('"{}";r={};t={}'.format, st.text("abc", max_size=2), digits, digits),
        st.builds('"a";t=@{}'.format, digits),
    ),
    max_size=3,
).map(",".join)
junk = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30)
places = st.one_of(
    st.sampled_from(
        ["/b", "b?c", "//192.0.2.2/c", "http://", "http:///x", "https://[::1", "http://192.0.2.2:99999/", ""]
    ),
    st.builds(
        "{}/{}".format, st.sampled_from([HOME, ELSEWHERE, "http://a..b", "ftp://192.0.2.1"]), st.text("ab", max_size=3)
    ),
    junk,
)
FIELDS = {
    "Retry-After": digits | dates | junk,
    "Date": dates | junk,
    "RateLimit": structured | junk,
    "RateLimit-Policy": structured | junk,
    "Location": places,
    "Set-Cookie": st.sampled_from(["a=b", "a=b; Expires=Wed, 21 Oct 99999999 07:28:00 GMT", ";;=", "a=b; Max-Age=x"])
    | junk,
    "Content-Encoding": st.sampled_from(["gzip", "br", "identity", "x"]),
    "Connection": st.sampled_from(["close", "keep-alive"]),
}
fields = st.lists(
    st.sampled_from(sorted(FIELDS)).flatmap(lambda name: st.tuples(st.just(name), FIELDS[name])), max_size=4
)
statuses = st.sampled_from([200, 201, 204, 301, 303, 307, 308, 400, 401, 409, 425, 429, 500, 502, 503, 503, 504, 999])
lengths = st.sampled_from(["right", "right", "short", "long", "none", "chunked", "9" * 25, "x"])


@st.composite
def answers(draw) -> bytes:
    body = draw(st.binary(max_size=40) | st.just(b"x" * 70_000))
    length = draw(lengths)
    named = {"right": len(body), "short": max(0, len(body) - 3), "long": len(body) + 3}
    lines = [f"HTTP/1.1 {draw(statuses)} Told", *(f"{name}: {value}" for name, value in draw(fields))]
    if length == "chunked":
        lines.append("Transfer-Encoding: chunked")
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    elif length != "none":
        lines.append(f"Content-Length: {named.get(length, length)}")
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    before = draw(st.sampled_from([b"", b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"\r\n"]))
    return before + head + body


@st.composite
def scripts(draw) -> Script:
    raw = draw(st.binary(max_size=60) if draw(st.integers(0, 9)) == 9 else answers())
    of_bytes = draw(st.sampled_from([1 << 20, 1 << 20, 64, 9, 1]))
    if len(raw) > 2000:
        of_bytes = max(of_bytes, 4096)
    every_s = draw(st.sampled_from([0.0, 0.0, 0.0, 0.01, 0.3, 2.0]))
    if draw(st.integers(0, 4)) == 4:
        raw = raw[: draw(st.integers(0, len(raw)))]
    pieces = [Piece(every_s, raw[at : at + of_bytes]) for at in range(0, len(raw), of_bytes)]
    end = draw(st.sampled_from([None, None, End.CLOSED, End.RESET]))
    return Script(
        (*pieces, *([Piece(0.0, end)] if end else [])),
        connect_s=draw(st.sampled_from([0.0] * 8 + [0.4, 3.0])),
        refuses=draw(st.integers(0, 9)) == 9,
        bytes_per_s=draw(st.sampled_from([1e9] * 7 + [200.0])),
    )


class HostileServer(RuleBasedStateMachine):
    """One client, whose calls meet whatever the server has been told to send."""

    is_async = False

    def __init__(self) -> None:
        super().__init__()
        self.server = SimulatedServer(SimulatedTime())
        resolver = [(2, 1, 6, "", ("192.0.2.3", 80))]
        self.patch = mock.patch.object(socket, "getaddrinfo", return_value=resolver)
        self.patch.start()
        self.client = SimulatedClient(
            self.server,
            is_async=self.is_async,
            keys_for=True,
            follow_redirects=True,
            limits=httpx.Limits(max_connections=3),
            headers={"x-api-key": "secret", "authorization": "secret"},
        )

    @rule(seconds=st.sampled_from([0.5, 5.0, 61.0, 3700.0]))
    def time_passes(self, seconds: float) -> None:
        self.server.time.advance(seconds)

    @rule(
        told=st.lists(scripts(), min_size=1, max_size=5),
        method=st.sampled_from(["GET", "POST", "PUT", "HEAD"]),
        path=st.sampled_from(["/a", "/a/1", "/b"]),
        deadline_s=st.sampled_from([30.0, 30.0, 2.0, 2.0, 0.4, 0.0]),
        streams=st.booleans(),
    )
    def a_call_is_made(self, told: list[Script], method: str, path: str, deadline_s: float, *, streams: bool) -> None:
        self.server.forget()
        self.server.answers(*told)
        before, written = len(self.server.asked), self.server.written
        began_s = self.server.time.now_s
        ask = self.client.stream if streams else self.client.request
        body = {"content": b"body" * 30} if method in {"POST", "PUT"} else {}
        try:
            ask(method, path, extensions={"deadline_s": deadline_s}, **body)
        except NotSentError:
            assert self.server.written == written
        except HTTPX_S_OWN:
            pass
        assert self.server.time.now_s - began_s <= deadline_s + LATE_S
        asked = self.server.asked[before:]
        assert len({each.fields.get("idempotency-key") for each in asked if each.method == "POST"} - {None}) <= 1
        for each in asked:
            if each.host != "192.0.2.1":
                assert not {"idempotency-key", "x-api-key", "authorization"} & set(each.fields)
                assert not [name for name in each.fields if name.startswith("tidegate-")]

    @invariant()
    def no_connection_is_lost(self) -> None:
        assert self.client.lost() == []
        assert len(self.server.open) <= len(self.client.inner._pool.connections)

    def teardown(self) -> None:
        self.client.close()
        self.patch.stop()
        assert not self.server.open


class HostileServerAsync(HostileServer):
    is_async = True


HostileServer.TestCase.settings = settings(max_examples=settings.default.max_examples // 2, stateful_step_count=12)
HostileServerAsync.TestCase.settings = HostileServer.TestCase.settings
TestHostileServer = HostileServer.TestCase
TestHostileServerAsync = HostileServerAsync.TestCase
