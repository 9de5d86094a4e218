# ruff: noqa: N803 - the arguments are named as boto3 names them
"""CloudFormation in any state that it has, by force, with its own rules of what may be asked in which."""

import contextlib
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

from botocore.exceptions import ClientError

STACK = "Tidegate-local"

# What comes of a stack that is left alone.
ENDS = {
    "CREATE_IN_PROGRESS": "CREATE_COMPLETE",
    "UPDATE_IN_PROGRESS": "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_COMPLETE",
    "ROLLBACK_IN_PROGRESS": "ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE",
    "DELETE_IN_PROGRESS": "DELETE_COMPLETE",
    "IMPORT_IN_PROGRESS": "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_IN_PROGRESS": "IMPORT_ROLLBACK_COMPLETE",
}
DEPLOYABLE = {f"{doing}_COMPLETE" for doing in ("CREATE", "UPDATE", "UPDATE_ROLLBACK", "IMPORT", "IMPORT_ROLLBACK")}


class Stacks:
    """A client of CloudFormation's with one stack, whose `outputs` it has as long as it is there.

    `stuck` are resources that can't be taken back or deleted. With `waits` the update waits for a custom resource.
    """

    def __init__(self, status, outputs, *, protected=False, stuck=(), waits=False):
        self.status, self.outputs, self.protected = status, outputs, protected
        self.stuck, self.waits = set(stuck), waits

    def describe_stacks(self, StackName):
        if self.status in {None, "DELETE_COMPLETE"}:
            raise _refused("DescribeStacks", f"Stack with id {StackName} does not exist")
        now = self.status
        if now in ENDS and not self.waits:
            self.status = ENDS[now]
        return {
            "Stacks": [
                {
                    "StackName": StackName,
                    "StackStatus": now,
                    "EnableTerminationProtection": self.protected,
                    "Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in self.outputs.items()],
                }
            ]
        }

    def continue_update_rollback(self, StackName, ResourcesToSkip=()):
        self._allowed("ContinueUpdateRollback", {"UPDATE_ROLLBACK_FAILED", "IMPORT_ROLLBACK_FAILED"})
        if set(ResourcesToSkip) - self.stuck:
            raise _refused("ContinueUpdateRollback", "only resources whose rollback failed can be skipped")
        self.stuck -= set(ResourcesToSkip)
        self.status = self.status if self.stuck else "UPDATE_ROLLBACK_IN_PROGRESS"

    def rollback_stack(self, StackName):
        self._allowed("RollbackStack", {"CREATE_FAILED", "UPDATE_FAILED"})
        back = {"CREATE_FAILED": "ROLLBACK_IN_PROGRESS", "UPDATE_FAILED": "UPDATE_ROLLBACK_IN_PROGRESS"}
        self.status = back[self.status]

    def delete_stack(self, StackName, RetainResources=()):
        if self.protected:
            raise _refused("DeleteStack", "cannot be deleted while TerminationProtection is enabled")
        if RetainResources and self.status != "DELETE_FAILED":
            raise _refused("DeleteStack", "RetainResources is for DELETE_FAILED")
        self.stuck -= set(RetainResources)
        self.status = "DELETE_FAILED" if self.stuck else "DELETE_IN_PROGRESS"

    def update_termination_protection(self, StackName, EnableTerminationProtection):
        self.protected = EnableTerminationProtection

    def deploy(self):
        """As CDK does."""
        if self.status in {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}:
            self.delete_stack(STACK)
            self.status = None
        if self.status not in DEPLOYABLE | {None, "DELETE_COMPLETE", "REVIEW_IN_PROGRESS"}:
            raise _refused("CreateChangeSet", f"Stack is in {self.status} state and can not be updated.")
        self.status = "UPDATE_COMPLETE" if self.status in DEPLOYABLE else "CREATE_COMPLETE"

    def answered(self, status):
        """The custom resource has answered."""
        self.waits = False
        self.status = "UPDATE_ROLLBACK_IN_PROGRESS" if status == "FAILED" else "UPDATE_IN_PROGRESS"

    def get_paginator(self, operation):
        return {"describe_stack_events": self._events, "list_stack_resources": self._resources}[operation]()

    def _events(self):
        stuck = [
            {
                "StackId": "id",
                "LogicalResourceId": name,
                "PhysicalResourceId": name,
                "ResourceType": "AWS::Lambda::Alias",
                "ResourceStatus": "DELETE_FAILED" if self.status == "DELETE_FAILED" else "UPDATE_FAILED",
                "ResourceStatusReason": "It can't be had back.",
            }
            for name in sorted(self.stuck)
        ]
        return _Pages([{"StackEvents": stuck}])

    def _resources(self):
        return _Pages([{"StackResourceSummaries": []}])

    def _allowed(self, operation, statuses):
        if self.status not in statuses:
            raise _refused(operation, f"{operation} cannot be called from current stack status")

    def close(self):
        pass


class _Pages:
    def __init__(self, pages):
        self._pages = pages

    def paginate(self, **_):
        return iter(self._pages)


def _refused(operation, message):
    return ClientError({"Error": {"Code": "ValidationError", "Message": message}}, operation)


@contextlib.contextmanager
def in_place_of_cloudformation(monkeypatch, cloud, stacks, clients):
    """Have `cloud.client` give it out, and of all other services these clients."""
    with monkeypatch.context() as patched:
        patched.setattr(cloud, "client", lambda service, _: stacks if service == "cloudformation" else clients[service])
        yield stacks


@contextlib.contextmanager
def waiting_for_an_answer(stacks):
    """Where it waits for the answer of its custom resource: gives the URL and the answers; `stacks()` goes on then."""
    answers = []

    class Answered(BaseHTTPRequestHandler):
        def do_PUT(self):
            answers.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            stacks().answered(answers[-1]["Status"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Answered) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/answer", answers
        server.shutdown()
