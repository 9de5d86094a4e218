"""What to type next, said with whatever stopped a release: pure."""

from tidegate_local.stacks.status import Standing, needs_recovery, outcome, standing


def typed(words: str, stage: str) -> str:
    """Write a `tidegate` command for a stage."""
    return f"`tidegate {words}{'' if stage == 'local' else f' --stage {stage}'}`"


def blocked(stack: str, status: str | None, stage: str) -> str:
    """Say that no deploy succeeds in a stack's state, and the way out of it."""
    if standing(status) is Standing.UNKNOWN:
        return (
            f"{stack} {outcome(status)}: no deploy was begun. CloudFormation's console says what can be done, and "
            f"{typed('release', stage)} goes on from there."
        )
    recover = typed("release --recover", stage)
    return f"{stack} {outcome(status)}: no deploy succeeds until it is at rest. Next: {recover}"


def under_way(stack: str, doing: str, stage: str) -> str:
    """Say that somebody else's release runs, and what can be done about it."""
    return (
        f"Another release is under way: {stack} is {doing}. See it with {typed('release --watch', stage)}, take it "
        f"back with {typed('release --abort', stage)}, or wait for its end."
    )


def machine_died(release: int, stage: str) -> str:
    """Say that nobody takes a release further, and how to have it taken back."""
    return f"Release {release} is at a standstill: its state machine died. Next: {typed('release --recover', stage)}"


def after_failure(stack: str, status: str | None, stage: str, *, protected: bool) -> str:
    """Say what to type after a deploy that failed, by what it left behind."""
    if needs_recovery(status, protected=protected):
        return f"Next: {typed('release --recover', stage)}, for {stack} {outcome(status)}."
    if standing(status) is Standing.AT_WORK:
        return f"Next: {typed('release --watch', stage)}, for {stack} {outcome(status)}."
    again = "`make up`" if stage == "local" else typed("release", stage)
    if standing(status) is Standing.WHOLE:
        return f"What served before goes on serving. Next: mend it, and {typed('release', stage)} again."
    return f"Nothing of it serves. Next: mend it, and {again} again."


def after_leaving(stack: str, status: str | None, stage: str, running: int | None) -> str:
    """Say what goes on without a command that was interrupted, and how to see it again; `running` is a release."""
    watch, abort = typed("release --watch", stage), typed("release --abort", stage)
    if running is not None:
        return f"Release {running} goes on without this command. See it again with {watch}, take it back with {abort}."
    if standing(status) is Standing.AT_WORK:
        return f"CloudFormation goes on without this command: {stack} {outcome(status)}. See it again with {watch}."
    return "Nothing was under way: what served goes on serving."
