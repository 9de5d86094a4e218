"""The lists of faults, of suites and of equivalent mutants fit the sources as they are."""

import re
import subprocess
import sys

import pytest

from tests.mutation.equivalents import Equivalent, equivalents, reason_of
from tests.mutation.faults import Fault, faults
from tests.mutation.operators import mutants
from tests.mutation.sampling import LIBRARY, Sampled, sampled
from tests.mutation.suites import FILES, PACKAGES
from tests.mutation.tree import CHECKOUT
from tests.mutation.trial import Selection

FAULTS = faults()
SUITES = [*PACKAGES.values(), *(suite for own in FILES.values() for suite in own)]


def source_of(path: str) -> str:
    return (CHECKOUT / path).read_text("utf-8")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_faults_text_stands_in_its_file_exactly_once(fault: Fault) -> None:
    assert fault.applied(source_of(fault.path)) != source_of(fault.path)


def test_a_text_that_has_gone_is_said_to_have_gone() -> None:
    with pytest.raises(ValueError, match="stands 0 times"):
        FAULTS[0].applied("another source")


def test_there_are_thirty_faults_each_of_its_own_name() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 30


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_tests_that_find_a_fault_are_there(fault: Fault) -> None:
    for test in fault.selection.arguments:
        path, _, name = test.partition("::")
        assert (
            re.search(rf"^ *(async )?def {re.escape(name.rpartition('::')[2])}\(", source_of(path), re.MULTILINE)
            or not name
        )


@pytest.mark.parametrize("suite", SUITES)
def test_the_files_of_a_suite_are_there(suite: Selection) -> None:
    paths = [
        argument.partition("::")[0] for argument in suite.arguments if argument.endswith(".py") or "::" in argument
    ]
    assert paths
    assert [path for path in paths if not (CHECKOUT / path).is_file()] == []


@pytest.mark.slow
@pytest.mark.parametrize("chosen", sorted({suite.arguments[-1] for suite in SUITES if "-k" in suite.arguments}))
def test_a_suite_that_chooses_tests_has_some_of_each_file(chosen: str) -> None:
    files = {file for suite in SUITES if suite.arguments[-2:] == ("-k", chosen) for file in suite.arguments[:-2]}
    asked = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files, "-k", chosen]
    told = subprocess.run(asked, cwd=CHECKOUT, capture_output=True, text=True, check=False).stdout
    assert {line.partition("::")[0] for line in told.splitlines() if "::" in line} == files


@pytest.mark.parametrize("file", FILES)
def test_a_file_with_a_suite_of_its_own_is_there(file: str) -> None:
    assert (CHECKOUT / LIBRARY / file).is_file()


@pytest.mark.parametrize("one", equivalents(), ids=lambda one: f"{one.file} {one.change}")
def test_an_equivalent_mutant_is_one_mutant_of_its_file_and_has_a_reason(one: Equivalent) -> None:
    path = f"{LIBRARY}/{one.file}"
    every = [Sampled(path, mutant) for mutant in mutants(source_of(path))]
    assert [reason_of(mutant) for mutant in every].count(one.because) == 1
    assert one.because


def test_a_seed_draws_the_same_sample_again() -> None:
    drawn, every = sampled("failover", 40, seed=1)
    assert (drawn, every) == sampled("failover", 40, seed=1)
    assert len(set(drawn)) == 40 < every
    assert drawn != sampled("failover", 40, seed=2)[0]
