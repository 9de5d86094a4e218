"""Why a deploy failed, read from CloudFormation's events."""

from tidegate_local.stacks.events import cause, stuck

STACK = "arn:aws:cloudformation:us-east-1:1:stack/Tidegate-aws/1"


def event(name, status, reason="", kind="AWS::Lambda::Alias"):
    return {
        "StackId": STACK,
        "LogicalResourceId": name,
        "PhysicalResourceId": name,
        "ResourceType": kind,
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }


def stack(status, reason=""):
    return {**event("Tidegate-aws", status, reason, "AWS::CloudFormation::Stack"), "PhysicalResourceId": STACK}


RELEASE = "Custom::TidegateRelease"
SAID = "At 10 %: The canary's errors are worse than tolerated: 4.50 %."
WRAPPED = (
    f"Received response status [FAILED] from custom resource. Message returned: {SAID} "
    "(RequestId: 6e5cc2a0-1111-2222-3333-444455556666)"
)


def test_a_release_s_reason_is_the_judge_s_own_words():
    told = [
        stack("UPDATE_IN_PROGRESS", "User Initiated"),
        event("Release", "UPDATE_FAILED", WRAPPED, RELEASE),
        event("Queue", "UPDATE_FAILED", "Resource update cancelled", "AWS::SQS::Queue"),
        stack("UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to update: [Release, Queue]."),
        stack("UPDATE_ROLLBACK_COMPLETE"),
    ]
    assert cause(told) == SAID


def test_the_first_failure_is_the_cause_and_has_its_name():
    told = [
        stack("CREATE_IN_PROGRESS"),
        event("Bucket", "CREATE_FAILED", "Resource creation cancelled", "AWS::S3::Bucket"),
        event(
            "Role", "CREATE_FAILED", "Not authorized (RequestToken: 1a-2b, HandlerErrorCode: AccessDenied)", "AWS::R"
        ),
        event("Api", "CREATE_FAILED", "Another, later", "AWS::ApiGateway::RestApi"),
    ]
    assert cause(told) == "Role (AWS::R): Not authorized"


def test_an_earlier_deploy_s_failure_is_not_this_one_s():
    told = [
        stack("UPDATE_IN_PROGRESS"),
        event("Release", "UPDATE_FAILED", WRAPPED, RELEASE),
        stack("UPDATE_ROLLBACK_COMPLETE"),
        stack("UPDATE_IN_PROGRESS"),
        stack("UPDATE_COMPLETE"),
    ]
    assert cause(told) is None
    assert cause([]) is None


def test_a_refusal_of_the_stack_itself_is_a_cause():
    told = [stack("UPDATE_IN_PROGRESS"), stack("UPDATE_FAILED", "Circular dependency between resources: [A, B]")]
    assert cause(told) == "Circular dependency between resources: [A, B]"


def test_stuck_is_what_failed_on_the_way_back_alone():
    told = [
        stack("UPDATE_IN_PROGRESS"),
        event("Release", "UPDATE_FAILED", WRAPPED, RELEASE),
        stack("UPDATE_ROLLBACK_IN_PROGRESS"),
        event("Release", "UPDATE_COMPLETE", "", RELEASE),
        event("Live", "UPDATE_FAILED", "Alias not found"),
        event("Queue", "UPDATE_FAILED", "Resource update cancelled"),
        stack("UPDATE_ROLLBACK_FAILED", "The following resource(s) failed to update: [Live]."),
    ]
    assert stuck(told) == {"Live": "Alias not found"}
