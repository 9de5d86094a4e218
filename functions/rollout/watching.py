"""One look of the judge, and the next state by its verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.rollout import judge as judging
from functions.rollout import looks, replays
from functions.rollout.clock import now_ms, now_s
from functions.rollout.judge import TimeBucket, Verdict
from functions.rollout.ledger import SupersededError
from functions.rollout.order import Order
from functions.rollout.parts import Parts
from functions.rollout.patience import Patience
from functions.rollout.reporting import verdict_document
from functions.rollout.shifting import shifted
from functions.rollout.verdicts import kept

Document = dict[str, Any]

ABORTED = "Aborted by hand."
# How many times requests are replayed in a step.
MOST_TOP_UPS = 10
_NONE_TO_REPLAY = "there are few requests, and none of them may be replayed"


def judge(document: Document, order: Order, using: Parts) -> Document:
    """Take the counts since the last look, and judge the step."""
    known = using.ledger.read()
    if known is None or "looks" not in known.attributes:
        raise SupersededError("the ledger's item of this release is gone")
    attributes: Mapping[str, Any] = known.attributes
    now, step = now_s(), document["step"]
    at = (document["looked"], step, document["percent"])
    seen = looks.again(attributes["looks"], using.counting, shifted(document, order), document["stable"], at)
    evidence, seen = looks.weighed(seen, order.plan)
    buckets = looks.buckets(seen)
    ringing = frozenset(document.get("alarms", {}).get("ringing", ()))
    # An alarm that rang before counts again once it has been silent.
    rang = ringing & frozenset(document.get("rang", ()))
    elapsed_s = now - document["step_began"]
    verdict = judging.decide(order.plan, evidence, step, elapsed_s, tuple(sorted(ringing - rang)))
    judged_ms = now_ms()
    open_yet = verdict is None or verdict.outcome == "inconclusive"
    wanted = judging.replays(order.plan, evidence, step, elapsed_s) if open_yet and order.replay_per_s else 0
    replaying = replays.next_up(order, seen["targets"], wanted)
    verdicts = attributes["verdicts"] if verdict is None else kept(attributes["verdicts"], verdict_document(verdict))
    found = _next(document, order, attributes, verdict, replaying)
    phase = "holding for a person" if found["outcome"] == "hold" else "watching"
    if still := judging.standing_still(order.plan, evidence, step):
        phase = f"{phase}: {still}"
    elif wanted and replaying is None:
        phase = f"{phase}: {_NONE_TO_REPLAY}"
    using.ledger.write(document["token"], phase=phase, looks=seen, verdicts=verdicts, live=_live(buckets, step))
    judged = judged_ms if found["outcome"] == "roll_back" else None
    return {"looked": now, "judged_ms": judged, "rang": sorted(rang), **found}


def _next(
    document: Document,
    order: Order,
    attributes: Mapping[str, Any],
    verdict: Verdict | None,
    replaying: Document | None = None,
) -> Document:
    """Choose: look again, go on to the next step, promote, top up, hold, or roll back.

    `replaying` is the action that replays requests, if clients send too few to prove the step in time.
    """
    if attributes.get("abort"):
        return {"outcome": "roll_back", "reason": ABORTED}
    if verdict is None:
        return replaying if replaying and document["topped_up"] < MOST_TOP_UPS else {"outcome": "watch"}
    if verdict.outcome == "fail":
        return {"outcome": "roll_back", "reason": f"At {document['percent']:g} %: " + " ".join(verdict.reasons)}
    if verdict.outcome == "pass" or attributes.get("go_on"):
        return _advanced(document, order)
    return _unproven(document, order, verdict)


def _advanced(document: Document, order: Order) -> Document:
    step = document["step"] + 1
    return {"step": step, "outcome": "shift" if step < len(order.plan.steps) else "promote"}


def _unproven(document: Document, order: Order, verdict: Verdict) -> Document:
    """Choose by the plan, for a step whose time is over without proof."""
    limits = order.plan.steps[document["step"]]
    then = verdict.then
    if then == "top_up" and order.replay_per_s and document["topped_up"] < MOST_TOP_UPS:
        most = order.replay_per_s * replays.CALL_S
        return {"outcome": "top_up", "wanted": min(verdict.requests_wanted or most, most)}
    if then == "wait" and verdict.elapsed_s < 2 * limits.most_s:
        return {"outcome": "watch"}
    if then == "hold":
        if verdict.elapsed_s < limits.most_s + order.hold_s:
            return {"outcome": "hold"}
        if order.unattended == "go_on":
            return _advanced(document, order)
        return {"outcome": "roll_back", "reason": "Nobody decided in time. " + " ".join(verdict.reasons)}
    return _advanced(document, order)


def top_up(document: Document, order: Order, using: Parts, patience: Patience) -> Document:
    """Replay recorded requests on both versions, so that the judge gets evidence."""
    known = using.ledger.read()
    targets = known.attributes["looks"].get("targets", {}) if known else {}
    pairs = replays.pairs(shifted(document, order), document["stable"], targets, document["wanted"])
    if pairs:
        using.smoke.replay(pairs, 2 * order.replay_per_s, patience)
    return {"topped_up": document["topped_up"] + 1, "outcome": "watch"}


def _live(buckets: tuple[TimeBucket, ...], step: int) -> dict[str, Any]:
    """Sum the step up for display: requests, failed ones, and the p95 in microseconds, of both versions."""
    shown = dict[str, Any]()
    for who in ("stable", "canary"):
        of_step = [getattr(bucket, who).warm for bucket in buckets if bucket.step == step and bucket.percent]
        cold = [getattr(bucket, who).cold for bucket in buckets if bucket.step == step and bucket.percent]
        latency = [counts.latency for counts in of_step if counts.latency.counts]
        merged = latency[0] if latency else None
        for more in latency[1:]:
            merged = merged.merged(more) if merged else more
        shown[who] = {
            "requests": sum(counts.requests for counts in (*of_step, *cold)),
            "failed": sum(counts.failed for counts in (*of_step, *cold)),
            "p95_us": merged.quantile_us(0.95) if merged else None,
        }
    return shown
