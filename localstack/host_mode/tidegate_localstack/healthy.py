"""Tells by its exit status whether the LocalStack of this container is up: a container's health check.

`python -m tidegate_localstack.healthy`. It is up once its init scripts have run and none of them failed.
"""

import json
import os
import sys
import urllib.request


def unwell(address: str) -> str | None:
    """Return what is wrong with the LocalStack at `address` (host:port); None: it is up."""
    try:
        with urllib.request.urlopen(f"http://{address}/_localstack/init", timeout=4) as answer:
            told = json.load(answer)
    except (OSError, ValueError) as error:
        return f"nothing answers at {address}: {error}"
    failed = [script["name"] for script in told["scripts"] if script["state"] == "ERROR"]
    if failed:
        return f"failed: {', '.join(failed)}"
    return None if told["completed"]["READY"] else "the init scripts are at work"


if __name__ == "__main__":
    # The address that it listens on may be all of them; this one is among those.
    sys.exit(unwell(f"127.0.0.1:{os.environ['GATEWAY_LISTEN'].rpartition(':')[2]}"))
