"""Names whose lookup hangs, as it does for seconds with a name server that never answers.

What hangs is the process' own `socket.getaddrinfo`: the system's resolver can't be told of another name server for one
process alone. All that is above it (drivers, pools, threads) is real. A lookup hangs while a file of the name is there,
so that another process can say so; like the system's resolver, it gives up after a while.
"""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

# What glibc takes by default: two tries of five seconds.
GIVES_UP_AFTER_S = 10.0
_ZONE = ".test"


class HangingNames:
    """Knows each name in `.test` as this machine's loopback address, which nobody else does.

    Attributes:
        folder: where the files are that make names hang.
        asked: how often this process has looked one up.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._real = socket.getaddrinfo
        self.asked = 0

    def install(self) -> None:
        """Answer for this process from now on."""
        socket.getaddrinfo = self._looked_up

    def remove(self) -> None:
        """Let the system answer again, and whoever is stuck go on."""
        for name in self.folder.iterdir():
            self.go_on(name.name)
        socket.getaddrinfo = self._real

    def hang(self, name: str) -> None:
        """Each lookup of the name hangs from now on, in whatever process."""
        (self.folder / name).touch()

    def go_on(self, name: str) -> None:
        """The name is found again, by those whose lookup hangs, too."""
        (self.folder / name).unlink(missing_ok=True)

    def _looked_up(self, host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if not str(name).endswith(_ZONE) or options.get("flags", 0) & socket.AI_NUMERICHOST:
            return self._real(host, port, *arguments, **options)
        self.asked += 1
        ends = time.monotonic() + GIVES_UP_AFTER_S
        while (self.folder / name).exists():
            if time.monotonic() > ends:
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            time.sleep(0.01)
        return self._real("127.0.0.1", port, *arguments, **options)
