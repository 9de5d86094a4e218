"""Functions that can't be had, that crash, and that take too long: what Lambda answers, and what becomes of them."""

import json

from localstack_process_executor import environment as environment_module


def error_of(answer):
    assert answer.is_error
    error = json.loads(answer.payload)
    return error["errorType"], error["errorMessage"]


def test_a_module_that_cannot_be_imported(make_environment, invocation):
    environment = make_environment("import nothing_of_this_name\n")
    assert json.loads(environment.start())["errorType"] == "Runtime.ImportModuleError"
    kind, message = error_of(environment.invoke(invocation()))
    assert kind == "Runtime.ImportModuleError"
    assert "nothing_of_this_name" in message


def test_a_handler_that_is_missing(make_environment, invocation):
    assert error_of(make_environment("").invoke(invocation()))[0] == "Runtime.HandlerNotFound"


def test_an_exception_at_import(make_environment, invocation):
    answer = make_environment("raise ValueError('not today')").invoke(invocation())
    assert error_of(answer) == ("ValueError", "not today")
    assert "not today" in answer.logs


def test_a_process_that_exits_at_import(make_environment, invocation):
    environment = make_environment("import os; print('leaving', flush=True); os._exit(7)")
    assert json.loads(environment.start())["errorType"] == "Runtime.ExitError"
    asked = invocation()
    answer = environment.invoke(asked)
    assert error_of(answer) == (
        "Runtime.ExitError",
        f"RequestId: {asked.request_id} Error: Runtime exited with error: exit status 7",
    )
    # Once in the init phase and once in the invocation, as on AWS.
    assert answer.logs.count("leaving") == 2


def test_an_initialisation_that_fails_once_is_repeated_by_the_invocation(make_environment, invocation, tmp_path):
    environment = make_environment("""
        import os, pathlib
        marker = pathlib.Path(os.environ["FOLDER"], "tried")
        if not marker.exists():
            marker.touch()
            raise OSError("try again")

        def handler(event, context):
            return "well"
    """)
    assert json.loads(environment.start())["errorMessage"] == "try again"
    assert environment.invoke(invocation()).payload == b'"well"'


def test_an_initialisation_that_takes_too_long_gets_the_functions_own_time(
    make_environment, invocation, tmp_path, monkeypatch
):
    monkeypatch.setattr(environment_module, "INIT_TIMEOUT_S", 0.05)
    environment = make_environment("""
        import os, pathlib, time
        while not pathlib.Path(os.environ["FOLDER"], "go").exists():
            time.sleep(0.01)

        def handler(event, context):
            return "at last"
    """)
    assert json.loads(environment.start())["errorType"] == "Sandbox.Timedout"
    (tmp_path / "go").touch()
    assert environment.invoke(invocation()).payload == b'"at last"'


def test_a_handler_that_takes_too_long_is_killed(make_environment, invocation):
    environment = make_environment(
        """
        import time

        def handler(event, context):
            print("sleeping")
            time.sleep(600)
        """,
        timeout_s=0.5,
    )
    assert environment.start() is None
    asked = invocation()
    answer = environment.invoke(asked)
    assert error_of(answer) == (
        "Sandbox.Timedout",
        f"RequestId: {asked.request_id} Error: Task timed out after 0.50 seconds",
    )
    assert f"{asked.request_id} Task timed out after 0.50 seconds" in answer.logs
    assert "sleeping" in answer.logs


def test_a_process_that_is_lost_is_replaced_by_the_next_invocation(make_environment, invocation):
    environment = make_environment("""
        import os, signal

        def handler(event, context):
            if event == "exit":
                os._exit(3)
            if event == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            return os.getpid()
    """)
    first = environment.invoke(invocation()).payload
    exited = error_of(environment.invoke(invocation('"exit"')))
    second = environment.invoke(invocation()).payload
    killed = error_of(environment.invoke(invocation('"kill"')))
    third = environment.invoke(invocation()).payload
    assert exited[0] == killed[0] == "Runtime.ExitError"
    assert exited[1].endswith("Runtime exited with error: exit status 3")
    assert killed[1].endswith("Runtime exited with error: signal: killed")
    assert len({first, second, third}) == 3
