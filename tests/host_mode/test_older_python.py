"""What makes LocalStack's source Python 3.11's again."""

import ast
import typing

import pytest
from tidegate_localstack.older_python import rewritten

NEWER = """
import abc
from dataclasses import dataclass
from collections.abc import Callable

type Event = str | dict
type NotAtTheStart = None

@dataclass
@abc.update_abstractmethods
class Pair[Before, After: object]:
    before: Before
    after: After

class Queue[T](list):
    class Inner[U]:
        def get[V](self, made: Callable[..., V]) -> V:
            return made()

def same[T: str](value: T) -> T:
    return value
"""


def test_the_result_is_older_syntax_and_means_the_same():
    with pytest.raises(SyntaxError):
        ast.parse(NEWER, feature_version=(3, 11))
    older = rewritten(NEWER)
    ast.parse(older, feature_version=(3, 11))
    made: dict[str, typing.Any] = {"__name__": "made"}
    exec(compile(older, "made", "exec"), made)
    assert made["Event"] == str | dict
    assert made["Pair"][int, str](1, "2").after == "2"
    assert made["Queue"][int]([1]) == [1]
    assert made["Queue"].Inner().get(lambda: 3) == 3
    assert made["same"]("x") == "x"


def test_what_needs_nothing_is_left_as_it_is():
    source = "values = [each for each in table['type = ']]\nclass Plain(dict): pass\n"
    assert rewritten(source) == source


def test_what_came_with_3_13_is_replaced():
    source = "from warnings import deprecated\ndef install(install_lock: Lock | None = None): pass\n"
    assert rewritten(source) == (
        'from typing_extensions import deprecated\ndef install(install_lock: "Lock | None" = None): pass\n'
    )
