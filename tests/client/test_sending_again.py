"""Answers that are cut off are asked for again, and bodies are sent again from where they began."""

import contextlib
import io

import httpx
import pytest

from tests.client.simulated_faces import SimulatedClient
from tests.client.simulated_network import End, Piece, Script, reply


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("end", [End.CLOSED, End.RESET])
def test_an_answer_that_is_cut_in_its_body_is_asked_for_again(simulate, simulated, method, end):
    cut = Script((*reply(201, body=b'{"order": 17}', cut_at=45).pieces[:-1], Piece(0, end)))
    simulated.answers(cut, reply(201, body=b'{"order": 17}'))
    answer = simulate(keys_for=True).request(method, "/a")
    assert (answer.json(), answer.extensions["attempts"]) == ({"order": 17}, 2)
    assert len(set(simulated.keys)) == 1


def test_a_body_that_stays_cut_is_the_fault(simulate, simulated):
    simulated.answers(*[reply(body=b"x" * 50, cut_at=60)] * 4)
    with pytest.raises(httpx.RemoteProtocolError):
        simulate().request("GET", "/a")
    assert len(simulated.asked) == 4


def test_a_cut_body_without_a_key_is_not_asked_for_again(simulate, simulated):
    simulated.answers(reply(body=b"x" * 50, cut_at=60))
    with pytest.raises(httpx.RemoteProtocolError):
        simulate().request("POST", "/a")
    assert len(simulated.asked) == 1


def test_a_cut_body_that_is_streamed_is_the_application_s(simulate, simulated):
    simulated.answers(reply(body=b"x" * 50, cut_at=60))
    with pytest.raises(httpx.RemoteProtocolError):
        simulate().stream("GET", "/a")
    assert len(simulated.asked) == 1


class Unseekable(io.BytesIO):
    def seekable(self):
        return False

    def seek(self, *_):
        raise io.UnsupportedOperation


@pytest.mark.parametrize(
    ("make", "attempts"),
    [
        (lambda: {"files": {"file": io.BytesIO(b"content")}, "data": {"a": "b"}}, 2),
        (lambda: {"files": {"file": b"content"}}, 2),
        (lambda: {"data": {"content": "b"}}, 2),
        (lambda: {"files": {"file": Unseekable(b"content")}}, 1),
    ],
    ids=["file", "bytes", "form", "unseekable"],
)
def test_forms_whose_files_can_be_rewound_are_sent_again(simulate, simulated, make, attempts):
    simulated.answers(503)
    answer = simulate(keys_for=True).request("POST", "/a", **make())
    assert answer.extensions["attempts"] == attempts
    bodies = {asked.body for asked in simulated.asked}
    assert len(bodies) == 1
    assert b"content" in bodies.pop()


def positioned() -> io.BytesIO:
    file = io.BytesIO(b"skipped, content")
    file.seek(9)
    return file


@pytest.mark.parametrize(
    ("make", "attempts"),
    [
        (lambda: io.BytesIO(b"content"), 2),
        (positioned, 2),
        (lambda: [b"con", b"tent"], 2),
        (lambda: Unseekable(b"content"), 1),
        (lambda: (part for part in [b"con", b"tent"]), 1),
        (lambda: iter([b"con", b"tent"]), 1),
    ],
    ids=["file", "positioned", "list", "unseekable", "generator", "iterator"],
)
def test_bodies_that_can_be_rewound_are_sent_again(simulated, make, attempts):
    simulated.answers(503)
    with contextlib.closing(SimulatedClient(simulated, is_async=False)) as client:
        answer = client.request("PUT", "/a", content=make(), headers={"content-length": "7"})
    assert answer.extensions["attempts"] == attempts
    assert {asked.body for asked in simulated.asked} == {b"content"}


def test_a_file_that_is_closed_meanwhile_is_not_sent_again(simulated):
    file = io.BytesIO(b"content")
    simulated.answers(503)
    with contextlib.closing(SimulatedClient(simulated, is_async=False)) as client:
        client.client._transport._transport = Closing(client.client._transport._transport, file)
        assert client.request("PUT", "/a", content=file).status_code == 503
    assert len(simulated.asked) == 1


class Closing(httpx.BaseTransport):
    def __init__(self, inner, file):
        self._inner, self._file = inner, file

    def handle_request(self, request):
        answer = self._inner.handle_request(request)
        self._file.close()
        return answer

    def close(self):
        self._inner.close()


def test_a_redirect_sends_an_open_file_from_where_it_began(simulated):
    simulated.answers(reply(307, {"location": "/b"}))
    with contextlib.closing(SimulatedClient(simulated, is_async=False, follow_redirects=True)) as client:
        client.request("PUT", "/a", content=positioned(), headers={"content-length": "7"})
    assert [asked.body for asked in simulated.asked] == [b"content"] * 2
