"""No order of calls, crashes and faults breaks what is promised of claims; code that is broken is found."""

import pytest

from tests.model import claims
from tests.model.checker import check
from tests.model.claim_steps import ClaimSteps
from tests.model.claim_stores import ModelClient
from tidegate.idempotency import dynamodb
from tidegate.idempotency.dynamodb import DynamoClaims, _Held
from tidegate.idempotency.fingerprint import Fingerprint
from tidegate.messages import Granted

pytestmark = pytest.mark.slow

MODELS = {model.name: model for model in claims.models()}


@pytest.mark.parametrize("name", MODELS)
def test_all_that_is_promised_of_claims_holds(name):
    found = check(MODELS[name])
    assert found.violation is None, str(found.violation)


def without_conditions(*operations):
    """Writes of these kinds are made whatever stands there."""
    write = ModelClient.write

    def unconditional(self, operation, **arguments):
        if operation in operations:
            arguments["ConditionExpression"] = "attribute_not_exists(nothing)"
        return write(self, operation, **arguments)

    return (ModelClient, "write", unconditional)


def forgetful(claim):
    def forgets(self, request):
        answer = claim(self, request)
        return Granted(b"", answer.taken_over) if isinstance(answer, Granted) else answer

    return forgets


def _unfenced(self, operation, request, *, condition, values, **arguments):
    names = dict(arguments.pop("ExpressionAttributeNames", {}))
    used = {word for text in arguments.values() for word in str(text).replace(",", " ").split()}
    return self._client.write(
        operation,
        TableName=self.table,
        Key=dynamodb._key(request),
        ConditionExpression="attribute_exists(pk)",
        ExpressionAttributeNames={name: value for name, value in names.items() if name in used},
        ExpressionAttributeValues=values,
        **arguments,
    )


BROKEN = {
    "a put without its condition": ("claims, fenced effect", without_conditions("PutItem"), claims.HOLD),
    "a completion without its fence": ("claims, fenced effect", (DynamoClaims, "_fenced", _unfenced), claims.FENCE),
    "a frozen holder that begins": (
        "claims, fenced effect",
        (ClaimSteps, "may_begin", lambda *_: True),
        claims.ALONE,
    ),
    "a credential that isn't in the fingerprint": (
        "claims, other payload or credential",
        (Fingerprint, "__init__", lambda self, scope, _="", of=Fingerprint.__init__: of(self, scope)),
        claims.OWN,
    ),
    "an unknown outcome that is taken over": (
        "claims, on_unknown=hold",
        (_Held, "_stands", lambda *_: False),
        claims.ONCE,
    ),
    "an heir that isn't told": (
        "claims, recovery points",
        (DynamoClaims, "claim", forgetful(DynamoClaims.claim)),
        claims.POINTS[1],
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_claim_is_found(what, monkeypatch):
    name, (where, attribute, broken), invariant = BROKEN[what]
    monkeypatch.setattr(where, attribute, broken)
    found = check(MODELS[name]._replace(invariants=(invariant,)))
    assert found.violation is not None
    assert found.violation.says == invariant.says
    assert 5 <= len(found.violation.trace) <= 20
