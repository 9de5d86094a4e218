"""Functions of one module, for tests that need something to invoke."""

import io
import zipfile
from typing import Any


def deploy_function(client: Any, name: str, source: str) -> None:
    """Make a function whose handler is index.handler in `source`, and wait until it is active."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", source)
    client.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role="arn:aws:iam::000000000000:role/any",
        Handler="index.handler",
        Code={"ZipFile": packed.getvalue()},
        Timeout=10,
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05})
