"""Whatever goes wrong on the way to Redis has one kind, by which it is counted."""

import errno
import socket
import ssl

import pytest

from tidegate.stores.redis_faults import AuthenticationError, reply_error, unavailable
from tidegate.stores.resp import ProtocolError

SCRIPT = "ERR Error running script (call to f_1): @user_script:12: @user_script: 12: -{} and more"
SAID = {
    "NOAUTH Authentication required.": "authentication",
    "WRONGPASS invalid username-password pair or user is disabled.": "authentication",
    "NOPERM this user has no permissions to run the 'evalsha' command": "authentication",
    "LOADING Redis is loading the dataset in memory": "loading",
    "READONLY You can't write against a read only replica.": "read-only",
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist": "read-only",
    "NOREPLICAS Not enough good replicas to write.": "read-only",
    "OOM command not allowed when used memory > 'maxmemory'.": "out-of-memory",
    "MOVED 3999 127.0.0.1:6381": "moved",
    "ASK 3999 127.0.0.1:6381": "moved",
    "TRYAGAIN Multiple keys request during rehashing of slot": "moved",
    "CLUSTERDOWN The cluster is down": "cluster-down",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.": "cluster-down",
    "ERR max number of clients reached": "refused",
    "ERR Protocol error: unauthenticated multibulk length": "authentication",
    "ERR unknown command 'EVALSHA'": "protocol",
    "CROSSSLOT Keys in request don't hash to the same slot": "protocol",
    SCRIPT.format("READONLY You can't write"): "read-only",
    SCRIPT.format("OOM command not allowed"): "out-of-memory",
    SCRIPT.format("CLUSTERDOWN Hash slot not served"): "cluster-down",
    SCRIPT.format("MOVED 1 x:1"): "moved",
}

RAISED = [
    (ConnectionRefusedError(), "refused"),
    (socket.gaierror(-2, "Name or service not known"), "refused"),
    (FileNotFoundError(errno.ENOENT, "No such file"), "refused"),
    (OSError(errno.EHOSTUNREACH, "No route to host"), "refused"),
    (TimeoutError(), "timeout"),
    (ConnectionResetError(), "reset"),
    (BrokenPipeError(), "reset"),
    (ssl.SSLCertVerificationError(), "tls"),
    (AuthenticationError("no credentials"), "authentication"),
    (ProtocolError("Protocol error"), "protocol"),
    (ValueError("label too long"), "protocol"),
]


@pytest.mark.parametrize(("text", "kind"), SAID.items(), ids=[text[:60] for text in SAID])
def test_what_a_server_says(text, kind):
    error = unavailable(reply_error(text))
    assert (error.store, error.kind) == ("redis", kind)
    assert error.detail == text[:200]


@pytest.mark.parametrize(("raised", "kind"), RAISED, ids=[repr(raised)[:60] for raised, _ in RAISED])
def test_what_the_system_raises(raised, kind):
    assert unavailable(raised).kind == kind
