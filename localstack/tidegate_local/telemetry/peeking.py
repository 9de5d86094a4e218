"""A process that asks the application what is left of its limits, by its own `Gate.peek`: nothing is charged.

Run as `python -m tidegate_local.telemetry.peeking MODULE:APP` in the project, with the function's environment. Each
line on standard input is {"keys": {tier: API key}, "asked": [[principal, method, path], ...]}; each is answered by a
line {"names": {principal: tier}, "left": [units, or null where no limit counts or no store answers]}. It ends with its
input.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any


def main() -> None:
    """Answer until the input ends."""
    # What the application prints on its way is no answer of ours.
    answers, sys.stdout = sys.stdout, sys.stderr
    module, _, name = sys.argv[1].partition(":")
    app = getattr(import_module(module), name)

    with asyncio.Runner() as runner:
        for line in sys.stdin:
            answers.write(json.dumps(runner.run(_answer(app.state.gate, json.loads(line)))) + "\n")
            answers.flush()
    app.state.gate.close()


async def _answer(gate: Any, question: Mapping[str, Any]) -> dict[str, Any]:
    from tidegate.identity.caller import Identifier  # noqa: PLC0415 - the application's own library, as it is deployed

    identify = Identifier(gate.settings)
    scopes = {
        tier: {"type": "http", "headers": [(b"x-api-key", key.encode())]} for tier, key in question["keys"].items()
    }
    names = {identify(scope).principal: tier for tier, scope in scopes.items()}
    return {"names": names, "left": [await _left(gate, *asked) for asked in question["asked"]]}


async def _left(gate: Any, principal: str, method: str, path: str) -> int | None:
    return min((left.remaining for left in await gate.peek(principal, method, path)), default=None)


if __name__ == "__main__":
    main()
