"""Errands off the clients' way: at most one of each name, waited for at the end, and begun anew after it."""

import threading

import pytest

from tidegate import StoreUnavailableError
from tidegate.background import Background


@pytest.fixture
def background():
    made = Background()
    yield made
    made.close()


def test_one_of_each_name_at_a_time(background):
    goes_on, ran = threading.Event(), []
    assert background.submit("beat", lambda: goes_on.wait(60))
    assert not background.submit("beat", lambda: ran.append("beat"))
    assert background.submit("buy", lambda: ran.append("buy"))
    goes_on.set()
    background.close()
    assert ran == ["buy"]


def test_closing_waits_for_what_is_under_way_and_later_errands_run(background):
    begun, goes_on, ended = threading.Event(), threading.Event(), []

    def errand():
        begun.set()
        goes_on.wait(60)
        ended.append(1)

    background.submit("beat", errand)
    assert begun.wait(60)
    closing = threading.Thread(target=background.close)
    closing.start()
    goes_on.set()
    closing.join(60)
    assert ended == [1]
    assert background.submit("beat", lambda: ended.append(2))
    background.close()
    assert ended == [1, 2]


def test_a_store_that_fails_is_nobodys_error_and_is_tried_again(background):
    def failing():
        raise StoreUnavailableError("dynamodb", "timeout")

    assert background.submit("beat", failing)
    background.close()
    assert background.submit("beat", failing)
