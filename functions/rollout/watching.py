"""One look of the judge, and what follows from its verdict."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from time import sleep
from typing import Any

from functions.rollout import judge as judging
from functions.rollout import looks
from functions.rollout.clock import now_ms, now_s
from functions.rollout.judge import TimeBucket, Verdict
from functions.rollout.order import Order
from functions.rollout.parts import Parts
from functions.rollout.reporting import verdict_document

Document = dict[str, Any]

ABORTED = "Aborted by hand."
# Synthetic requests of one top-up to each version, at most; how often a step is topped up; and how fast: what is beyond
# the limit of their route is refused, and a refusal proves nothing.
_TOP_UP = 200
_MOST_TOP_UPS = 10
_TOP_UP_PER_S = 40
_AT_ONCE = 4


def judge(document: Document, order: Order, using: Parts) -> Document:
    """Look at what was counted since the last look, and judge the step."""
    known = using.ledger.read()
    attributes: Mapping[str, Any] = known.attributes if known else {}
    now, step = now_s(), document["step"]
    moving = order.moving(document["stable"])
    at = (document["looked"], step, document["percent"])
    seen = looks.again(attributes["looks"], using.counting, moving, document["stable"], at)
    buckets = looks.buckets(seen)
    elapsed_s = now - document["step_began"]
    verdict = judging.judge(order.plan, buckets, step, elapsed_s, tuple(document.get("alarms", {}).get("ringing", ())))
    judged_ms = now_ms()
    verdicts = attributes["verdicts"] if verdict is None else [*attributes["verdicts"], verdict_document(verdict)]
    live = _live(buckets, step)
    found = _next(document, order, attributes, verdict)
    phase = "holding for a person" if found["outcome"] == "hold" else "watching"
    using.ledger.write(document["token"], phase=phase, looks=seen, verdicts=verdicts, live=live)
    return {"looked": now, "judged_ms": judged_ms if found["outcome"] == "roll_back" else None, **found}


def _next(document: Document, order: Order, attributes: Mapping[str, Any], verdict: Verdict | None) -> Document:
    """Choose: look again, go on to the next step, promote, top up, hold, or roll back."""
    if attributes.get("abort"):
        return {"outcome": "roll_back", "reason": ABORTED}
    if verdict is None:
        return {"outcome": "watch"}
    if verdict.outcome == "fail":
        return {"outcome": "roll_back", "reason": f"At {document['percent']:g} %: " + " ".join(verdict.reasons)}
    if verdict.outcome == "pass" or attributes.get("go_on"):
        return _advanced(document, order)
    return _unproven(document, order, verdict)


def _advanced(document: Document, order: Order) -> Document:
    step = document["step"] + 1
    return {"step": step, "outcome": "shift" if step < len(order.plan.steps) else "promote"}


def _unproven(document: Document, order: Order, verdict: Verdict) -> Document:
    """A step's time is over, and nothing is proven: what the plan says."""
    limits = order.plan.steps[document["step"]]
    then = verdict.then
    if then == "top_up" and document["topped_up"] < _MOST_TOP_UPS:
        return {"outcome": "top_up", "wanted": min(verdict.requests_wanted or _TOP_UP, _TOP_UP)}
    if then == "wait" and verdict.elapsed_s < 2 * limits.most_s:
        return {"outcome": "watch"}
    if then == "hold":
        if verdict.elapsed_s < limits.most_s + order.hold_s:
            return {"outcome": "hold"}
        return {"outcome": "roll_back", "reason": "Nobody decided in time. " + " ".join(verdict.reasons)}
    return _advanced(document, order)


def top_up(document: Document, order: Order, using: Parts) -> Document:
    """Send each version as many requests as the judge wants, so that it has something to see."""
    http = [target for target in order.moving(document["stable"]) if target.serves == "http"]
    versions = [each for t in http for each in (t, t._replace(version=document["stable"][t.name]))]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        sent = []
        for version in versions * document["wanted"]:
            sent.append(pool.submit(using.smoke.read_once, version))
            sleep(1 / _TOP_UP_PER_S)
    for each in sent:
        each.result()
    return {"topped_up": document["topped_up"] + 1, "outcome": "watch"}


def _live(buckets: tuple[TimeBucket, ...], step: int) -> dict[str, Any]:
    """Sum the step up for whoever watches: requests, failed ones, and the p95 in microseconds, of both versions."""
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
