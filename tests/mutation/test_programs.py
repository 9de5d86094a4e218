"""Both programs, on a tree of two files: a fault that is found, one that nobody finds, and mutants of both sorts."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.mutation import __main__ as program
from tests.mutation import score
from tests.mutation.faults import Fault
from tests.mutation.operators import mutants
from tests.mutation.sampling import Sampled
from tests.mutation.tree import SourceTree, copied
from tests.mutation.trial import Selection, run

pytestmark = pytest.mark.slow

SLUICE = "def opens(level):\n    return level > 2\n"
TEST = """
from functions.sluice import opens

def test_it_opens_above_two():
    assert opens(4)
    assert not opens(2)
"""
Make = Callable[..., tuple[int, str]]
FILE = "functions/sluice.py"
TESTS = Selection(("test_sluice.py",))


@pytest.fixture
def tree(tmp_path: Path) -> SourceTree:
    (tmp_path / "functions").mkdir()
    (tmp_path / FILE).write_text(SLUICE)
    (tmp_path / "test_sluice.py").write_text(TEST)
    # The environment names this plugin of the library's, which comes from the tree as all of it does.
    (tmp_path / "layers/tidegate/python").mkdir(parents=True)
    (tmp_path / "layers/tidegate/python/tidegate_pytest.py").touch()
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    return SourceTree(tmp_path)


def fault(text: str) -> Fault:
    return Fault("a fault", FILE, "level > 2", text, "A promise.", TESTS)


def printed_by(main: Callable[[Sequence[str], Callable[[str], None]], int], *arguments: str) -> tuple[int, str]:
    lines = list[str]()
    return main(arguments, lines.append), "\n".join(lines)


@pytest.fixture
def made(tree: SourceTree, monkeypatch: pytest.MonkeyPatch) -> Make:
    """`made(faults)` runs the program of these on the tree."""

    def make(*faults: Fault) -> tuple[int, str]:
        monkeypatch.setattr(program, "faults", lambda: list(faults))
        monkeypatch.setattr(program, "copied", lambda: contextlib.nullcontext(tree))
        return printed_by(program.main)

    return make


def test_a_fault_is_found_by_its_first_failing_test(tree: SourceTree, made: Make) -> None:
    status, text = made(fault("level > 1"), fault("level >= 2"))
    assert status == 0
    assert text.count("| `test_sluice.py::test_it_opens_above_two` |") == 2
    assert text.endswith("2 of 2 faults found, 2 of them within 60 s.")
    assert (tree.folder / FILE).read_text() == SLUICE


def test_a_fault_that_survives_fails_the_program(made: Make) -> None:
    status, text = made(fault("level > 1"), fault("level > 3"))
    assert status == 1
    assert "**nobody**:  1 passed" in text
    assert "1 of 2 faults found" in text


def test_a_fault_is_worth_nothing_where_its_tests_fail_without_it(tree: SourceTree, made: Make) -> None:
    (tree.folder / "test_sluice.py").write_text(TEST.replace("opens(2)", "opens(4)"))
    status, text = made(Fault("a fault", FILE, "level >", "level <", "A promise.", TESTS))
    assert status == 2
    assert text.endswith("without a fault, too: test_sluice.py::test_it_opens_above_two")


def test_a_mutants_score_counts_what_the_tests_kill(
    tree: SourceTree, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    drawn = [Sampled(FILE, mutant) for mutant in mutants(SLUICE)]
    monkeypatch.setattr(score, "copied", lambda: contextlib.nullcontext(tree))
    monkeypatch.setattr(score, "sampled", lambda *_: (drawn, len(drawn)))
    monkeypatch.setattr(score, "PACKAGES", {"limits": TESTS})
    monkeypatch.setattr(score, "suites_of", lambda _: (TESTS,))
    monkeypatch.setattr(score, "CHECKOUT", tree.folder)
    record = ("--record", str(tmp_path / "killed"))
    status, text = printed_by(score.main, "--package", "limits", "--least", "0.9", *record)
    assert status == 1
    # Of >=, <=, 2 + 1 and None the test doesn't see the third.
    assert "| `limits` | 4 | 4 | 3 | 75% | 0 | 75% |" in text
    assert "`2 → (2 + 1)` | it is not" in text
    _, again = printed_by(score.main, "--package", "limits", *record)
    assert again.count("killed by") == 0
    assert again.count("SURVIVED") == 1


def test_a_test_that_hangs_is_ended(tree: SourceTree) -> None:
    (tree.folder / FILE).write_text("def opens(level):\n    while True:\n        pass\n")
    assert run(tree, TESTS, longest_s=3).code not in {0, 1}


def test_a_selection_without_a_test_is_an_error(tree: SourceTree) -> None:
    with pytest.raises(ValueError, match="no test ran"):
        run(tree, Selection(("test_sluice.py", "-k", "nothing")), longest_s=60)


def test_two_faults_of_one_size_and_second_are_told_apart(tree: SourceTree) -> None:
    for text, passes in (("level > 1", False), ("level > 2", True), ("level < 2", False)):
        with tree.changed(FILE, SLUICE.replace("level > 2", text)):
            assert run(tree, TESTS, longest_s=60).passed == passes


def test_a_copy_has_the_sources_and_no_environment(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / "a.py").touch()
    with copied(tmp_path) as tree:
        assert [path.name for path in tree.folder.iterdir()] == ["a.py"]
    assert not tree.folder.exists()
