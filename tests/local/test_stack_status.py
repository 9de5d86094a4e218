"""Every status that CloudFormation has is known, and what a deploy may do in it."""

import boto3
import pytest

from tidegate_local.releases import advice
from tidegate_local.stacks.status import Standing, needs_recovery, standing

WHOLE = {
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
}
ABSENT = {"REVIEW_IN_PROGRESS", "DELETE_COMPLETE"}
# CDK replaces them by itself.
REPLACED = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}


@pytest.fixture(scope="module")
def statuses():
    """All of them, as the API's own model lists them."""
    client = boto3.client("cloudformation")
    members = client.meta.service_model.shape_for("Stack").members["StackStatus"].enum
    client.close()
    return members


def test_every_status_of_cloudformations_is_known(statuses):
    assert len(statuses) >= 23
    assert not [status for status in statuses if standing(status) is Standing.UNKNOWN]


def test_what_may_be_deployed_to_is_what_is_at_rest(statuses):
    for status in statuses:
        at_work = status.endswith("_IN_PROGRESS") and status not in ABSENT
        assert (standing(status) is Standing.AT_WORK) == at_work, status
        assert (standing(status) is Standing.WHOLE) == (status in WHOLE), status
        free = status in WHOLE | ABSENT | REPLACED
        assert needs_recovery(status, protected=False) == (not free and not at_work), status


@pytest.mark.parametrize("status", sorted(REPLACED))
def test_a_protected_stack_that_was_never_made_needs_a_hand(status):
    assert needs_recovery(status, protected=True)


def test_a_status_of_tomorrows_is_no_license_to_deploy():
    assert standing("RESTORE_IN_PROGRESS") is Standing.AT_WORK
    assert standing("RESTORE_FAILED") is Standing.UNKNOWN
    assert needs_recovery("RESTORE_FAILED", protected=False)
    assert standing(None) is Standing.ABSENT


def test_what_to_type_next_follows_from_what_a_failure_left(statuses):
    for status in statuses:
        said = advice.after_failure("Tidegate-aws", status, "aws", protected=False)
        wanted = "--recover" if needs_recovery(status, protected=False) else "release"
        assert f"{wanted} --stage aws`" in said or "--watch --stage aws`" in said, said
