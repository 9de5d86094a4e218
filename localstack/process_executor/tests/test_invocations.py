"""What a function sees and what comes back, through awslambdaric in a process of its own."""

import json
import threading
import urllib.request
from contextlib import closing
from queue import SimpleQueue

from localstack_process_executor import faults
from localstack_process_executor.runtime_api import RuntimeApi

ECHO = """
    import os
    print("initialised")

    def handler(event, context):
        print("running", context.aws_request_id)
        return {
            "event": event, "pid": os.getpid(), "id": context.aws_request_id, "arn": context.invoked_function_arn,
            "left_ms": context.get_remaining_time_in_millis(), "trace": os.environ.get("_X_AMZN_TRACE_ID"),
        }
"""


def test_an_event_arrives_and_its_result_comes_back(make_environment, invocation):
    environment = make_environment(ECHO)
    assert environment.start() is None
    asked = invocation('{"what": "ein Schlüssel: \u2713"}', "Root=1-5759e988-bd862e3fe1be46a994272793")
    answer = environment.invoke(asked)
    seen = json.loads(answer.payload)
    assert not answer.is_error
    assert seen["event"] == {"what": "ein Schlüssel: \u2713"}
    assert (seen["id"], seen["arn"], seen["trace"]) == (asked.request_id, asked.function_arn, asked.trace_id)
    assert 0 < seen["left_ms"] <= 60_000


def test_a_deadline_is_told_in_whole_milliseconds_and_never_too_late(invocation):
    with closing(RuntimeApi(SimpleQueue())) as api:
        api.offer(invocation(), 1_700_000_000.0009)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(f"http://{api.address}/2018-06-01/runtime/invocation/next") as told:
            assert told.headers["lambda-runtime-deadline-ms"] == "1700000000000"


def test_one_process_serves_one_invocation_after_the_other(make_environment, invocation):
    environment = make_environment(ECHO)
    environment.start()
    pids = {json.loads(environment.invoke(invocation()).payload)["pid"] for _ in range(5)}
    assert len(pids) == 1


def test_an_unstarted_environment_starts_with_its_first_invocation(make_environment, invocation):
    assert not make_environment(ECHO).invoke(invocation()).is_error


def test_the_log_has_lambdas_lines_around_the_functions_own(make_environment, invocation):
    environment = make_environment(ECHO)
    environment.start()
    first, second = invocation(), invocation()
    lines = environment.invoke(first).logs.splitlines()
    assert lines[:4] == [
        f"START RequestId: {first.request_id} Version: 7",
        "initialised",
        f"running {first.request_id}",
        f"END RequestId: {first.request_id}",
    ]
    report = lines[4].split("\t")
    assert [part.split(":")[0] for part in report if part] == [
        "REPORT RequestId",
        "Duration",
        "Billed Duration",
        "Memory Size",
        "Max Memory Used",
        "Init Duration",
    ]
    assert "initialised" not in (again := environment.invoke(second).logs)
    assert "Init Duration" not in again


def test_all_that_was_printed_before_the_answer_is_in_its_log(make_environment, invocation):
    environment = make_environment("""
        import sys

        def handler(event, context):
            for number in range(5000):
                print("line", number, file=sys.stderr if number % 2 else sys.stdout)
    """)
    printed = [f"line {number}" for number in range(5000)]
    for _ in range(3):
        lines = environment.invoke(invocation()).logs.splitlines()
        assert [line for line in lines if line.startswith("line ")] == printed


def test_an_exception_is_the_functions_error_and_the_process_lives(make_environment, invocation):
    environment = make_environment("""
        import os

        def handler(event, context):
            if event:
                raise KeyError("missing")
            return os.getpid()
    """)
    before = environment.invoke(invocation()).payload
    answer = environment.invoke(invocation('{"fail": true}'))
    error = json.loads(answer.payload)
    assert answer.is_error
    assert (error["errorType"], error["errorMessage"]) == ("KeyError", "'missing'")
    # awslambdaric ends the lines of a traceback by carriage returns.
    assert "\r" not in answer.logs
    assert "Traceback (most recent call last):" in answer.logs.splitlines()
    assert environment.invoke(invocation()).payload == before


def test_an_answer_of_six_megabytes_is_taken_and_a_larger_one_is_not(make_environment, invocation):
    environment = make_environment("""
        def handler(event, context):
            return "x" * (event - 2)
    """)
    largest = environment.invoke(invocation(str(faults.MAX_PAYLOAD_BYTES)))
    assert (len(largest.payload), largest.is_error) == (faults.MAX_PAYLOAD_BYTES, False)
    refused = environment.invoke(invocation(str(faults.MAX_PAYLOAD_BYTES + 1)))
    assert refused.is_error
    assert json.loads(refused.payload)["errorType"] == "Function.ResponseSizeTooLarge"
    assert not environment.invoke(invocation("10")).is_error


def test_environments_run_at_the_same_time_in_a_process_each(make_environment, invocation):
    together = """
        import os, pathlib, time

        def handler(event, context):
            folder = pathlib.Path(os.environ["FOLDER"])
            (folder / f"{os.getpid()}.here").touch()
            while len(list(folder.glob("*.here"))) < 4:
                time.sleep(0.01)
            return os.getpid()
    """
    environments = [make_environment(together) for _ in range(4)]
    answers = []
    threads = [
        threading.Thread(target=lambda each=each: answers.append(each.invoke(invocation())), daemon=True)
        for each in environments
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer.payload for answer in answers if not answer.is_error}) == 4
