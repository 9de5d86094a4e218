"""The evaluator decides as IAM's user guide says."""

import pytest

from tests.harness.iam.policy import Call, PolicyError, evaluate

TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/guard"
OTHER = "arn:aws:dynamodb:eu-west-1:123456789012:table/other"
READ = Call("dynamodb:GetItem", TABLE)


def allow(action="dynamodb:GetItem", resource=TABLE, **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(**more):
    return {**allow(**more), "Effect": "Deny"}


def leading(*keys):
    return READ._replace(context={"dynamodb:LeadingKeys": list(keys)})


def allowed(*statements, call=READ, **more):
    return evaluate(statements, call, **more).allowed


def test_nothing_is_allowed_that_no_statement_allows():
    assert allowed(allow())
    assert not allowed()
    assert not allowed(allow(action="dynamodb:PutItem"))
    assert not allowed(allow(resource=OTHER))


@pytest.mark.parametrize("order", [1, -1])
def test_a_denial_wins_wherever_it_stands(order):
    decision = evaluate([allow(), deny(action="dynamodb:*")][::order], READ)
    assert not decision.allowed
    assert decision.explicit
    assert not evaluate([], READ).explicit


@pytest.mark.parametrize(
    "action", ["dynamodb:getitem", "dynamodb:Get*", "dynamodb:Get?tem", "*", ["a:b", "dynamodb:GetItem"]]
)
def test_actions_have_wildcards_and_no_case(action):
    assert allowed(allow(action=action))


@pytest.mark.parametrize("action", ["dynamodb:Get", "sqs:*", "dynamodb:BatchGet*", "dynamodb:GetItem?"])
def test_another_action_is_another(action):
    assert not allowed(allow(action=action))


@pytest.mark.parametrize(
    ("resource", "matches"),
    [
        (f"{TABLE}*", True),
        ("arn:*:dynamodb:*:*:table/*", True),
        ("arn:aws:dynamodb:eu-west-1:123456789012:*", True),
        ("*", True),
        ("arn:aws-cn:dynamodb:eu-west-1:123456789012:table/guard", False),
        ("arn:aws:dynamodb:eu-west-1:210987654321:table/guard", False),
        ("arn:aws:dynamodb:us-*:*:table/guard", False),
        (f"{TABLE}/index/*", False),
        ("arn:aws:sqs:*:*:*", False),
    ],
)
def test_resources_are_matched_part_by_part(resource, matches):
    assert allowed(allow(resource=resource)) is matches


def test_no_wildcard_reaches_over_a_part_of_an_arn():
    bucket = Call("s3:GetObject", "arn:aws:s3:::bucket/key")
    assert allowed(allow("s3:GetObject", "arn:aws:s3:::bucket/*"), call=bucket)
    assert not allowed(allow("s3:GetObject", "arn:aws:s3:*:bucket/*:x:y"), call=bucket)


def test_a_version_is_no_function():
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:shop"
    function, version = (Call("lambda:InvokeFunction", named) for named in (arn, f"{arn}:7"))
    of = [allow("lambda:InvokeFunction", named) for named in (arn, f"{arn}:*")]
    found = [[allowed(statement, call=call) for statement in of] for call in (function, version)]
    assert found == [[True, False], [False, True]]


def test_what_is_not_named_is_meant():
    every = {"Effect": "Allow", "NotAction": ["dynamodb:Delete*", "sqs:*"], "NotResource": OTHER}
    assert allowed(every)
    assert not allowed(every, call=READ._replace(action="dynamodb:DeleteItem"))
    assert not allowed(every, call=READ._replace(resource=OTHER))
    assert not allowed(allow(), {"Effect": "Deny", "NotAction": "dynamodb:PutItem", "Resource": "*"})


@pytest.mark.parametrize(
    ("operator", "keys", "matches"),
    [
        ("ForAllValues:StringLike", ["release#aws"], True),
        ("ForAllValues:StringLike", ["release#aws", "release#aws#7"], True),
        ("ForAllValues:StringLike", ["release#aws", "claim#1"], False),
        ("ForAllValues:StringLike", [], True),  # a scan tells no key: IAM lets it through
        ("ForAnyValue:StringLike", ["release#aws", "claim#1"], True),
        ("ForAnyValue:StringLike", [], False),
        ("StringLike", ["release#aws"], True),
        ("StringLike", [], False),
        ("StringLikeIfExists", [], True),
        ("StringNotLike", ["claim#1"], True),
        ("StringNotLike", ["release#aws"], False),
        ("StringNotLike", [], True),
        ("ForAllValues:StringNotLike", ["claim#1", "release#aws"], False),
        ("StringEquals", ["release#aws"], False),
    ],
)
def test_leading_keys_bound_the_items(operator, keys, matches):
    call = leading(*keys) if keys else READ
    assert allowed(allow(Condition={operator: {"dynamodb:leadingkeys": ["release#*"]}}), call=call) is matches


def test_all_conditions_have_to_hold():
    both = {"StringEquals": {"aws:a": ["1", "2"], "aws:b": "3"}, "Bool": {"aws:c": True}}
    context = {"aws:a": ["2"], "aws:b": ["3"], "aws:c": ["true"]}
    assert allowed(allow(Condition=both), call=READ._replace(context=context))
    for name in context:
        lacking = {**context, name: ["other"]}
        assert not allowed(allow(Condition=both), call=READ._replace(context=lacking)), name


def test_arns_numbers_and_absence_are_conditions_too():
    context = {"lambda:SourceFunctionArn": [TABLE], "aws:n": ["5"]}
    for condition, matches in (
        ({"ArnEquals": {"lambda:SourceFunctionArn": "arn:aws:dynamodb:*:*:table/guard"}}, True),
        ({"ArnNotLike": {"lambda:SourceFunctionArn": "arn:aws:dynamodb:*:*:table/guard"}}, False),
        ({"NumericLessThanEquals": {"aws:n": "5"}}, True),
        ({"NumericLessThan": {"aws:n": "5"}}, False),
        ({"Null": {"aws:n": "false"}}, True),
        ({"Null": {"aws:m": "true"}}, True),
        ({"Null": {"aws:m": "false"}}, False),
    ):
        assert allowed(allow(Condition=condition), call=READ._replace(context=context)) is matches, condition


def test_variables_are_the_request_s():
    own = allow(resource="arn:aws:dynamodb:*:*:table/${aws:PrincipalTag/table}")
    assert allowed(own, call=READ._replace(context={"aws:PrincipalTag/table": ["guard"]}))
    assert not allowed(own, call=READ._replace(context={"aws:PrincipalTag/table": ["*"]}))
    assert not allowed(own)
    assert allowed(allow(resource="arn:aws:dynamodb:*:*:table/${aws:PrincipalTag/table, 'guard'}"))
    star = READ._replace(resource=f"{TABLE}*")
    assert allowed(allow(resource=f"{TABLE}${{*}}"), call=star)
    assert not allowed(allow(resource=f"{TABLE}${{*}}"), call=READ._replace(resource=f"{TABLE}2"))


def test_a_boundary_bounds_and_allows_nothing():
    assert allowed(allow(), boundary=[allow(action="dynamodb:*")])
    assert not allowed(allow(), boundary=[allow(action="sqs:*")])
    assert not allowed(boundary=[allow()])
    assert evaluate([allow()], READ, [deny()]).explicit


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow", "Action": "*"},
        {"Effect": "allow", "Action": "*", "Resource": "*"},
        {**allow(), "NotAction": "*"},
        {**allow(), "Principal": "*"},
        allow(Condition={"StringMatches": {"aws:a": "b"}}),
        allow(Condition={"StringEquals": {"dynamodb:LeadingKeys": "a"}}),
        allow(resource="guard"),
    ],
)
def test_what_it_cannot_evaluate_it_refuses(statement):
    with pytest.raises(PolicyError):
        evaluate([statement], leading("a", "b"))
