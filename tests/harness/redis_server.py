"""A real redis-server (or valkey-server) with the faults that happen to one."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.harness.certificates import Certificate, make_certificate
from tests.harness.ports import free_port
from tests.harness.redis_binary import redis_binary
from tests.harness.server_process import ServerProcess, SignalledServer

_START_DEADLINE_S = 15.0
_ALL_SLOTS = range(16384)


class RedisServer(SignalledServer):
    """One real Redis on a port of its own, on loopback; a context manager that starts it and always ends it.

    `config` are lines of redis.conf ("maxmemory 3mb"). With `tls` the port speaks TLS only; with `cluster`
    it is a cluster of one node that holds every slot. The port stays over restarts; nothing is persisted. `host` is
    another address of this machine to listen on, for clients in containers.
    """

    def __init__(
        self,
        *config: str,
        password: str | None = None,
        tls: bool = False,
        cluster: bool = False,
        port: int | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.host = host
        self.port = port or free_port(with_bus=cluster)
        self.password = password
        self.cluster = cluster
        self.folder = Path(tempfile.mkdtemp(prefix="redis-"))
        self.certificate: Certificate | None = make_certificate(self.folder) if tls else None
        self._config = config
        self._process = ServerProcess([redis_binary(), str(self.folder / "redis.conf")], log=self.folder / "redis.log")

    @property
    def url(self) -> str:
        scheme = "rediss" if self.certificate else "redis"
        secret = f":{self.password}@" if self.password else ""
        trust = f"?ssl_ca_certs={self.certificate.certificate}" if self.certificate else ""
        return f"{scheme}://{secret}{self.host}:{self.port}/0{trust}"

    def start(self) -> None:
        """Starts it (empty) and returns when PING answers; RuntimeError with the log's tail otherwise."""
        (self.folder / "nodes.conf").unlink(missing_ok=True)
        (self.folder / "redis.conf").write_text("\n".join(self._lines()) + "\n")
        self._process.launch()
        self._process.wait_until(self._answers, deadline_s=_START_DEADLINE_S)
        if self.cluster:
            self.take_slots()

    def restart_empty(self) -> None:
        """Kills it if it runs and starts it on the same port: no key, no script, no old connection."""
        self.kill()
        self.start()

    def readonly(self) -> None:
        """Every write answers READONLY, reads go on: what a client sees that talks to a demoted primary."""
        self.command("REPLICAOF", self.host, free_port())

    def writable(self) -> None:
        """Ends `readonly`."""
        self.command("REPLICAOF", "NO", "ONE")

    def fill_memory(self) -> None:
        """Every write that needs memory answers OOM (noeviction), reads go on."""
        self.configure("maxmemory-policy", "noeviction")
        self.configure("maxmemory", "1")

    def free_memory(self) -> None:
        """Ends `fill_memory`."""
        self.configure("maxmemory", "0")

    def change_password(self, password: str) -> None:
        """A new password for new connections; those that are authenticated stay so. `url` has the new one."""
        self.configure("requirepass", password)
        self.password = password

    def lose_slots(self) -> None:
        """Cluster only: no slot is served, every command with a key answers CLUSTERDOWN."""
        self.command("CLUSTER", "DELSLOTS", *_ALL_SLOTS)

    def take_slots(self) -> None:
        """Cluster only: this node serves every slot; returns when the cluster says it is ok."""
        # ADDSLOTSRANGE would be one short command, but 6.2 doesn't know it.
        self.command("CLUSTER", "ADDSLOTS", *_ALL_SLOTS)
        self._process.wait_until(self._cluster_ok, deadline_s=_START_DEADLINE_S)

    def configure(self, name: str, value: str) -> None:
        """CONFIG SET."""
        self.command("CONFIG", "SET", name, value)

    def flush(self) -> None:
        """No keys, no scripts."""
        self.command("FLUSHALL", "SYNC")
        self.command("SCRIPT", "FLUSH", "SYNC")

    def heal(self) -> None:
        """Whatever fault a test left is undone (except a changed password), and the server is empty."""
        self.cont()
        if not self.running:
            self.start()
        if not self.cluster:
            self.writable()
        self.free_memory()
        self.flush()

    def info(self, section: str) -> dict[str, Any]:
        """INFO of one section, as redis-py reads it."""
        with self.client() as client:
            return dict(client.info(section))

    def command(self, *parts: str | int) -> Any:
        """One raw command on a connection of its own."""
        with self.client() as client:
            return client.execute_command(*parts)  # type: ignore[no-untyped-call]  # redis-py has no types here

    @contextlib.contextmanager
    def client(self, **options: Any) -> Iterator["redis.Redis"]:
        """A plain redis-py client without retries and with a timeout of 5 s; answers are bytes."""
        defaults: dict[str, Any] = {"socket_timeout": 5, "socket_connect_timeout": 5}
        client = redis.Redis.from_url(self.url, retry=Retry(NoBackoff(), 0), **(defaults | options))
        with client, contextlib.closing(client.connection_pool):
            yield client

    def log_tail(self) -> str:
        return self._process.log_tail()

    def close(self) -> None:
        """Ends it for good and removes its folder."""
        self._process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _lines(self) -> Iterator[str]:
        yield from (f"bind {self.host}", "daemonize no", f"dir {self.folder}", 'save ""', "appendonly no")
        if self.certificate:
            yield from ("port 0", f"tls-port {self.port}", "tls-auth-clients no")
            yield f"tls-cert-file {self.certificate.certificate}"
            yield f"tls-key-file {self.certificate.key}"
            yield f"tls-ca-cert-file {self.certificate.certificate}"
        else:
            yield f"port {self.port}"
        if self.password:
            yield f"requirepass {self.password}"
        if self.cluster:
            yield from ("cluster-enabled yes", "cluster-config-file nodes.conf")
            # The wait before regained slots are served is as long as this timeout.
            yield from (f"cluster-announce-ip {self.host}", "cluster-node-timeout 500")
        yield from self._config

    def _answers(self) -> bool:
        try:
            return bool(self.command("PING"))
        except redis.ConnectionError:
            return False

    def _cluster_ok(self) -> bool:
        answer = self.command("CLUSTER", "INFO")
        return "cluster_state:ok" in str(answer)
