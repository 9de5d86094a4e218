"""The project's tables: `TIDEGATE_<NAME>_TABLE` names the one that migrations call by that name in lower case."""

import re
from collections.abc import Mapping

_VARIABLE = re.compile(r"TIDEGATE_([A-Z][A-Z0-9_]*)_TABLE")


def tables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the tables' names in DynamoDB, by what migrations call them."""
    found = {_VARIABLE.fullmatch(variable): table for variable, table in environ.items()}
    return {match[1].lower(): table for match, table in found.items() if match and table}
