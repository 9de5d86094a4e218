"""What a serverless cache may cost."""

from dataclasses import dataclass

from tidegate_cdk.setting_error import SettingError

_LEAST_ECPU_PER_S = 1000


@dataclass(frozen=True)
class CacheLimits:
    """Caps on what ElastiCache Serverless may cost: stored data in GB, and its compute units a second.

    The `least_…` are kept ready, and paid for, without traffic. A cache takes 30,000 units a second at once and twice
    as many ten minutes later, so that a minimum is for storms that are above that from their first second on.
    """

    data_gb: int = 5
    ecpu_per_s: int = 50_000
    least_data_gb: int | None = None
    least_ecpu_per_s: int | None = None

    def __post_init__(self) -> None:
        """Refuse a minimum above the maximum."""
        if self.data_gb < 1 or self.ecpu_per_s < _LEAST_ECPU_PER_S:
            raise SettingError(
                f"cache_limits has data_gb={self.data_gb} and ecpu_per_s={self.ecpu_per_s}: write 1 and "
                f"{_LEAST_ECPU_PER_S} or more, as ElastiCache takes them"
            )
        for name, most in (("data_gb", self.data_gb), ("ecpu_per_s", self.ecpu_per_s)):
            least = getattr(self, f"least_{name}")
            if least is not None and not 1 <= least <= most:
                raise SettingError(f"cache_limits has least_{name}={least}: write 1 to {most}, its {name}, or None")
