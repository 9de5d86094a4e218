"""Where a process listens (Linux)."""

from __future__ import annotations

import socket
from pathlib import Path


def listening_addresses(pid: int) -> set[str]:
    """The addresses of the IPv4 and IPv6 sockets on which a process listens."""
    opened = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
    inodes = {name[len("socket:[") : -1] for name in opened if name.startswith("socket:[")}
    addresses = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                packed = bytes.fromhex(fields[1].partition(":")[0])
                addresses.add(socket.inet_ntoa(packed[::-1]) if table == "tcp" else packed.hex())
    return addresses
