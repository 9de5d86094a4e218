"""How large a function is, for how long it runs, and how many of its environments there may be."""

from dataclasses import dataclass

from tidegate_cdk.rollout import Rollout
from tidegate_cdk.setting_error import SettingError

# API Gateway waits no longer for an answer, and Lambda lets a function run no longer.
LONGEST_ANSWER_S = 29
LONGEST_RUN_S = 900
LEAST_MB, MOST_MB = 128, 10_240


@dataclass(frozen=True)
class Sizing:
    """An API's function: its memory in MB, and for how many seconds an answer may take.

    `reserved_concurrency` is how many environments there are at most; None leaves it in the account's common pool.
    `provisioned` environments are kept started, at the alias; None: all start on demand. `snap_start` has them start
    from a snapshot, of published versions. Lambda takes neither both nor weights beside the former.
    """

    memory_mb: int = 1769  # one whole vCPU: cold starts are bound by it
    timeout_s: int = 20
    reserved_concurrency: int | None = None
    provisioned: int | None = None
    snap_start: bool = False

    def __post_init__(self) -> None:
        """Refuse what AWS would refuse in the middle of a deployment."""
        if not 1 <= self.timeout_s <= LONGEST_ANSWER_S:
            raise SettingError(
                f"timeout_s={self.timeout_s}: write 1 to {LONGEST_ANSWER_S}, as long as API Gateway waits for an "
                "answer. What takes longer goes to the queue (overflow); see the worker's timeout"
            )
        if not LEAST_MB <= self.memory_mb <= MOST_MB:
            raise SettingError(f"memory_mb={self.memory_mb}: write {LEAST_MB} to {MOST_MB}, as Lambda takes it")
        if self.reserved_concurrency is not None and self.reserved_concurrency < 1:
            raise SettingError(f"reserved_concurrency={self.reserved_concurrency}: write 1 or more, or None")
        if self.provisioned is None:
            return
        if self.snap_start:
            raise SettingError(
                "both provisioned concurrency and SnapStart, which exclude each other: write snap_start=False, or "
                "provisioned=None"
            )
        most = self.reserved_concurrency
        if self.provisioned < 1 or (most is not None and self.provisioned > most):
            up_to = "1 or more" if most is None else f"1 to {most}, its reserved_concurrency"
            raise SettingError(f"provisioned={self.provisioned}: write {up_to}, or None")

    def check(self, release: Rollout | None) -> None:
        """See that a release can shift this function's alias; raises SettingError if it can't."""
        if self.provisioned is not None and release and release.weights:
            raise SettingError(
                "provisioned concurrency, and an alias that has it takes no weights: release with "
                "strategy=all-at-once, or write provisioned=None (with snap_start=True, say)"
            )
