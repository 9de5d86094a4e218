"""Each operator makes the changes that it is named after, and leaves alone what no run would notice."""

import ast

import pytest

from tests.mutation.operators import mutants
from tests.mutation.sampling import sampled
from tests.mutation.suites import PACKAGES
from tests.mutation.tree import CHECKOUT


@pytest.mark.parametrize(
    ("source", "changes"),
    [
        ("x = a < b", {"x = (a >= b)", "x = (a <= b)"}),
        ("x = a is None", {"x = (a is not None)"}),
        ("x = a * b", {"x = (a // b)"}),
        ("x = a and not b", {"x = (a or not b)", "x = a and (b)"}),
        ("x = 3", {"x = (3 + 1)"}),
        ("x = True", {"x = False"}),
        ("x = min(a, b)", {"x = max(a, b)"}),
        ("self.x = a", {"pass"}),
        ("raise E", {"pass"}),
        ("f(a)", {"pass"}),
        ("def f() -> bool:\n    return a", {"def f() -> bool:\n    return not (a)"}),
        ("def f() -> int:\n    return a", {"def f() -> int:\n    return None"}),
    ],
)
def test_a_statement_is_changed_by_its_operators(source: str, changes: set[str]) -> None:
    assert {mutant.applied(source) for mutant in mutants(source)} == changes


@pytest.mark.parametrize(
    "source",
    [
        '"""Text."""',
        "import a",
        "x: int | None",
        "def f(a: int | None) -> str | None:\n    return None",
        "if TYPE_CHECKING:\n    x = 3",
        'x = f"{a + b}"',
        "@frozen(slots=True)\nclass A:\n    pass",
    ],
)
def test_what_no_run_would_notice_is_left_alone(source: str) -> None:
    assert mutants(source) == []


def test_a_change_knows_its_line_and_keeps_the_rest() -> None:
    source = "é = 'ä'\nif (\n    a\n    < b\n): c()\n"
    [mutant] = [mutant for mutant in mutants(source) if mutant.operator == "boundary"]
    assert (mutant.line, mutant.change) == (3, "a < b → (a <= b)")
    assert mutant.applied(source) == "é = 'ä'\nif (\n    (a <= b)\n): c()\n"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_packages_mutants_are_python(package: str) -> None:
    drawn, _ = sampled(package, 60, seed=1)
    for file, mutant in drawn:
        source = (CHECKOUT / file).read_text("utf-8")
        changed = mutant.applied(source)
        assert changed != source
        ast.parse(changed)
