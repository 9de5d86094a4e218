"""The one question to the stores. A request that is cancelled while it is asked keeps nothing of what it is granted."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress

from tidegate.environment import Environment
from tidegate.errors import StoreUnavailableError
from tidegate.limits.charges import ChargeSet, LimitCharges
from tidegate.messages import Answer, Question, Settlement
from tidegate.web.shield import heard_out


def ask(question: Question, charged: ChargeSet, environment: Environment) -> Awaitable[Answer]:
    """Ask the stores, and return what will be their answer.

    Args:
        question: the question.
        charged: the charges in it.
        environment: whose stores to ask.
    """
    asking = environment.decide.steps(environment.stores.admitting(question))
    if environment.decide.inline or not (charged.holds or question.cache):  # nothing is granted that would stay
        return asking

    async def give_back(answer: Answer) -> None:
        charges = LimitCharges(charged)
        charges.read(answer, 0)
        if corrections := charges.take_corrections({}):
            await charges.apply_corrections(corrections, question.subject, environment)
        if question.cache is None:
            return
        from tidegate.cache_messages import CacheLease, CacheWrite  # noqa: PLC0415  only cached routes need it

        if isinstance(answer.cache, CacheLease):
            lease = CacheWrite(question.cache, None, payer=question.subject)
            settlement = Settlement(question.subject, None, None, fenced=False, cache=lease)
            with suppress(StoreUnavailableError):  # it ends by itself
                await environment.call(lambda: environment.stores.settle(settlement))

    return heard_out(asking, give_back)
