"""A loop that a test leaves open fails that test, not the one in which it is collected."""

from pathlib import Path

pytest_plugins = ["pytester"]

TESTS = """
import asyncio, threading
import pytest

def test_leaves_one():
    asyncio.set_event_loop(asyncio.new_event_loop())

def test_closes_its_own():
    asyncio.new_event_loop().close()

@pytest.fixture(scope="module")
def served():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()

def test_is_served(served):
    assert served.is_running()

def test_is_still_served(served):
    assert served.is_running()
"""


def test_the_test_that_left_a_loop_open_fails(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    pytester.makepyfile(TESTS)
    done = pytester.runpytest_subprocess("-p", "tests.harness.open_loops", "-p", "no:cacheprovider")
    done.assert_outcomes(passed=4, errors=1)
    done.stdout.fnmatch_lines(["*Failed: The test left event loops open*", "ERROR *::test_leaves_one*"])
