"""The mend of localstack/init/start.d/invocation_threads.py, by what an invocation leaves in LocalStack's memory."""

from pathlib import Path

import pytest

from tests.host_mode.conftest import ROLE, zipped

pytestmark = pytest.mark.localstack

# LocalStack that keeps its threads has two mappings more after each.
INVOCATIONS = 200


def test_an_invocation_leaves_no_stack_of_a_thread_behind(localstack):
    functions = localstack.client("lambda")
    functions.create_function(
        FunctionName="counted",
        Runtime="python3.13",
        Handler="app.handler",
        Role=ROLE,
        Code={"ZipFile": zipped({"app.py": "def handler(event, context): return 1"})},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="counted")
    before = mappings(localstack.pid)
    for _ in range(INVOCATIONS):
        functions.invoke(FunctionName="counted")
    assert mappings(localstack.pid) - before < INVOCATIONS


def mappings(pid):
    """How many there are in a process's memory."""
    return Path(f"/proc/{pid}/maps").read_text().count("\n")
