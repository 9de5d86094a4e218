"""The fast tests that a package's mutants are run against: those of all the package, then those of one file alone."""

from __future__ import annotations

from tests.mutation.trial import Selection


def _unit(names: str) -> tuple[str, ...]:
    return tuple(f"tests/unit/test_{name}.py" for name in names.split())


def _contract(names: str) -> tuple[str, ...]:
    return tuple(f"tests/contract/test_{name}.py" for name in names.split())


# A test that runs on one face alone has the name of none.
_ONE_FACE = "(function or not server)"


def _http(*names: str, only: str = _ONE_FACE) -> Selection:
    """Tests of applications; on the face of a function, where they run on both."""
    return Selection((*(f"tests/http/test_{name}.py" for name in names), "-k", only))


# Lua decides beside the pure algorithm, and is another writing of it; in memory the algorithm is compared with itself.
_LUA = Selection(_contract("every_limit quota sliding_window"), "redis")
_FLEET = "tests/simulation/test_overadmission.py::test_no_stretch_of_time_admits_more_than_the_bound"
_HOT_KEY = "tests/simulation/test_overadmission.py::test_a_hot_key_costs_far_fewer_writes_than_decisions"

PACKAGES = {
    "limits": Selection(
        (
            *_unit("limit_bounds exact_decisions carried_counts charge_sets limits limit_numbers limit_charges quota"),
            *_unit(
                "held_slots debts sliding_window token_bucket algorithms http_fields quick_decisions memory_store share"
            ),
            *_contract("every_limit quota concurrency sliding_window extremes"),
        ),
        "memory",
    ),
    "idempotency": Selection(
        (
            *_unit("claims_in_time memory_claims held_claim fingerprint idempotency_key recovery_points record"),
            *_unit("replay_budget"),
            *_contract("claims claims_unknown claims_renewal claims_skew claims_model"),
        ),
        "memory",
    ),
    "failover": Selection(
        (
            *_unit("breaker failover token_batches lazy_dynamodb shadow_decisions local_shares misfits debts"),
            *_unit("tracked_store fallback token_prefetch failover_windows failover_bound claims_in_time"),
        )
    ),
}

_IN_TIME = Selection(("tests/simulation/test_idempotency_simulation.py::test_histories_by_their_seeds",))
_LADDER = Selection((*_contract("dynamodb_ladder"), *_contract("dynamodb_faults"), _HOT_KEY), "dynamodb")
_OVER = Selection((f"{_FLEET}[3-1-Redis out 5 min]", f"{_FLEET}[3-1-both out 5 min]"))

FILES = {
    "limits/charges.py": (_http("limits", "every_limit", "tiers"), _http("costs")),
    "limits/concurrency.py": (_LUA,),
    "limits/costs.py": (_http("costs", "llm_tokens"),),
    "limits/leaky_bucket.py": (_LUA,),
    "limits/limit.py": (_http("limits", "tiers"),),
    "limits/overrides.py": (Selection(_unit("overrides_reader")), _http("every_limit")),
    "limits/peek.py": (_http("every_limit"),),
    "limits/quota.py": (_LUA,),
    "limits/sliding_window.py": (_LUA,),
    "limits/sliding_window_counter.py": (_LUA,),
    "limits/slots.py": (_http("every_limit", "renewal"),),
    "limits/tiers.py": (_http("tiers"),),
    "limits/token_bucket.py": (_LUA,),
    "idempotency/attempt.py": (
        _IN_TIME,
        _http("takeover", "unknown_outcomes", "idempotency_outages", only=f"{_ONE_FACE} and not hung and not hangs"),
    ),
    "idempotency/bounded_claims.py": (_http("idempotency_outages", only=f"{_ONE_FACE} and hung"),),
    "idempotency/dynamodb.py": (Selection(_contract("claims claims_unknown claims_renewal"), "dynamodb"), _IN_TIME),
    "idempotency/held_claim.py": (
        _IN_TIME,
        _http("renewal", "takeover", "recovery"),
        _http("modes", "idempotency_outages", only=f"{_ONE_FACE} and (table or Redis)"),
    ),
    "idempotency/protocol.py": (
        _http("idempotency_keys", "in_progress", "keep_5xx", "takeover"),
        _http("unreadable_answers", "idempotency_outages", only=f"{_ONE_FACE} and (both_records or nothing_runs)"),
    ),
    "idempotency/read_ahead.py": (_http("request_bodies", "replay"),),
    "idempotency/recovery.py": (_http("recovery"), _http("unreadable_answers", only="points")),
    "idempotency/renewal.py": (_http("renewal"),),
    "idempotency/replay_budget.py": (_http("replays_bounded"),),
    "idempotency/run.py": (_IN_TIME, _http("keep_5xx", "disconnects", "policy_in_force")),
    "idempotency/unknown_outcome.py": (_http("unknown_outcomes"),),
    "failover/fallback.py": (_LADDER,),
    "failover/fallback_clock.py": (Selection(_contract("fallback_clock"), "dynamodb"), _LADDER, _OVER),
    "failover/lazy_dynamodb.py": (_http("failover", "failover_health"),),
    "failover/shadow.py": (_LADDER,),
    "failover/shares.py": (_OVER,),
    "failover/store.py": (_http("failover", "failover_limits", "no_store"),),
    "failover/token_prefetch.py": (_LADDER,),
}


def suites_of(file: str) -> tuple[Selection, ...]:
    """Return what a file's mutants are run against, in this order.

    Args:
        file: as the library's package has it: `limits/quota.py`.
    """
    return (PACKAGES[file.partition("/")[0]], *FILES.get(file, ()))
