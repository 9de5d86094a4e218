"""The states language, as far as the machine of a release uses it, on the simulated clock.

Source: Amazon States Language, https://states-language.net: retriers count their attempts each for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

Document = dict[str, Any]
Call = Callable[[str, Mapping[str, Any]], Any]
Entered = Callable[[str, Document], None]


class TaskError(Exception):
    """A task has failed: the error's name and its cause, as Step Functions has them."""

    def __init__(self, name: str, cause: str) -> None:
        super().__init__(f"{name}: {cause}")
        self.name, self.cause = name, cause


def execution(
    machine: Mapping[str, Any], document: Document, call: Call, entered: Entered = lambda *_: None
) -> Generator[float, None, Document]:
    """Run a machine; yields the seconds for which it waits, and returns its output.

    `call` carries out a task's resource with its parameters; what takes time there passes the clock's time itself.
    `entered` is told of each state, and of the document there.

    Raises:
        TaskError: a task failed, and nothing caught it.
    """
    states, name = machine["States"], machine["StartAt"]
    while True:
        state = states[name]
        entered(name, document)
        if state["Type"] == "Choice":
            name = _chosen(state, document)
            continue
        document, following = yield from _passed(state, document, call)
        if following is None:
            return document
        name = following


def _passed(
    state: Mapping[str, Any], document: Document, call: Call
) -> Generator[float, None, tuple[Document, str | None]]:
    """Pass a state; return the new document and the next state, None at the end."""
    if state["Type"] == "Wait":
        yield float(state["Seconds"] if "Seconds" in state else _at(document, state["SecondsPath"]))
    elif state["Type"] == "Pass":
        document = _placed(state, document, {"at": "now"})
    elif state["Type"] != "Succeed":
        try:
            document = _placed(state, document, (yield from _retried(state, document, call)))
        except TaskError as error:
            caught = next((c for c in state.get("Catch", ()) if _names(c["ErrorEquals"], error)), None)
            if caught is None:
                raise
            return _placed(caught, document, {"Error": error.name, "Cause": error.cause}), caught["Next"]
    return document, state.get("Next")


def _retried(state: Mapping[str, Any], document: Document, call: Call) -> Generator[float, None, Any]:
    tries = [0 for _ in state.get("Retry", ())]
    while True:
        try:
            if state["Type"] == "Map":
                return (yield from _mapped(state, document, call))
            return call(state["Resource"], _parameters(state["Parameters"], document))
        except TaskError as error:
            found = next((n for n, r in enumerate(state.get("Retry", ())) if _names(r["ErrorEquals"], error)), None)
            if found is None or tries[found] >= state["Retry"][found].get("MaxAttempts", 3):
                raise
            of = state["Retry"][found]
            wait_s = of.get("IntervalSeconds", 1) * of.get("BackoffRate", 2) ** tries[found]
            tries[found] += 1
            yield float(min(wait_s, of.get("MaxDelaySeconds", wait_s)))


def _mapped(state: Mapping[str, Any], document: Document, call: Call) -> Generator[float, None, list[Document]]:
    results = []
    for item in _at(document, state["ItemsPath"]):
        results.append((yield from execution(state["ItemProcessor"], item, call)))  # noqa: PERF401  # it yields
    return results


def _chosen(state: Mapping[str, Any], document: Document) -> str:
    for choice in state["Choices"]:
        if _at(document, choice["Variable"]) == choice["StringEquals"]:
            return str(choice["Next"])
    return str(state["Default"])


def _parameters(template: Any, document: Document) -> Any:
    if isinstance(template, Mapping):
        return {
            name.removesuffix(".$"): _at(document, value) if name.endswith(".$") else _parameters(value, document)
            for name, value in template.items()
        }
    return template


def _at(document: Document, path: str) -> Any:
    found: Any = document
    for name in path.removeprefix("$").strip(".").split("."):
        found = found[name] if name else found
    return found


def _placed(state: Mapping[str, Any], document: Document, result: Any) -> Document:
    path = state.get("ResultPath", "$")
    return result if path == "$" else {**document, path.removeprefix("$."): result}


def _names(patterns: list[str], error: TaskError) -> bool:
    return "States.ALL" in patterns or error.name in patterns
