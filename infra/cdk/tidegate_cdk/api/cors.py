"""Cross-origin resource sharing, as an API's setting."""

import re
from dataclasses import dataclass

from tidegate_cdk.setting_error import SettingError

# Scheme, host and port, in the letters that browsers send: a quote in one would end the gateway's own.
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d+)?|[a-z][a-z0-9+.-]*-extension://[a-z0-9-]+")


@dataclass(frozen=True)
class Cors:
    """Which pages of other origins a browser lets read the answers; the API keys travel in a field, never in cookies.

    `origins` are such as https://www.example.com, or "*" alone for any. `headers` are what such a page may send beside
    what browsers always let it. A browser asks again after `max_age_s`.
    """

    origins: tuple[str, ...]
    headers: tuple[str, ...] = (
        "Authorization",
        "Content-Type",
        "Idempotency-Key",
        "If-None-Match",
        "Traceparent",
        "X-Api-Key",
    )
    max_age_s: int = 600

    def __post_init__(self) -> None:
        """Refuse what no browser would ever send as an origin."""
        taken = [origin for origin in self.origins if _ORIGIN.fullmatch(origin) or self.origins == ("*",)]
        if not self.origins or len(taken) < len(self.origins):
            raise SettingError(
                f"cors has the origins {self.origins!r}: write them as browsers do, such as https://www.example.com, "
                'without a path or a slash behind it, or "*" alone'
            )
        if not 0 <= self.max_age_s <= 86_400:
            raise SettingError(f"cors has max_age_s={self.max_age_s}: write 0 to 86400")
