"""The function's own lines in its log: JSON, one line each, never with a token."""

import json
import sys


def say(message: str, **members: str) -> None:
    """Write a line."""
    sys.stdout.write(json.dumps({"level": "WARNING", "message": message, **members}) + "\n")
