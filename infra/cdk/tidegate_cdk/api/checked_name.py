"""The name of an API and of its cache."""

import re

from tidegate_cdk.setting_error import SettingError

# ElastiCache's rule for caches and users.
_NAME = re.compile(r"(?!.*--)[a-z][a-z0-9-]{0,38}[a-z0-9]")


def checked_name(name: str | None, stack_name: str) -> str:
    """Return the name, or the stack's in lower case; raises SettingError if it is none that ElastiCache takes."""
    checked = name or re.sub(r"[^a-z0-9]+", "-", stack_name.lower()).strip("-")
    if not _NAME.fullmatch(checked):
        raise SettingError(
            f"name is {checked!r}: write lower-case letters, digits and single hyphens, a letter first, at most 40, "
            "such as letters-prod"
        )
    return checked
