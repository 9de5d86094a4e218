"""Whatever goes wrong on the way to Redis has one kind, by which it is counted."""

import errno
import socket
import ssl

import pytest

from tidegate.redis_driver.faults import AuthenticationError, reply_error, unavailable
from tidegate.redis_driver.resp import ProtocolError

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
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.": "timeout",
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)": "read-only",
    "DENIED Redis is running in protected mode": "authentication",
    "ERR invalid password": "authentication",
    "ERR AUTH <password> called without any password configured": "authentication",
    "ERR This instance has cluster support disabled": "protocol",
    "ERR DB index is out of range": "protocol",
    "ERR Error running script (call to f_1): Script killed by user with SCRIPT KILL...": "timeout",
    "no upstream host": "protocol",
    "WRONGTYPE Operation against a key holding the wrong kind of value": "unreadable",
    "WRONGTYPE Operation against a key holding the wrong kind of value script: 1, on @user_script:3.": "unreadable",
    SCRIPT.format("WRONGTYPE Operation against a key"): "unreadable",
    "ERR user_script:7: attempt to compare nil with number script: 1, on @user_script:7.": "unreadable",
    "ERR Error running script (call to f_1): @user_script:7: attempt to perform arithmetic": "unreadable",
    "ERR value is not an integer or out of range": "unreadable",
    "ERR value is not a valid float": "unreadable",
    "ERR increment or decrement would overflow": "unreadable",
    "ERR invalid expire time in 'set' command": "unreadable",
    "ERR hash value is not an integer": "unreadable",
    "ERR string exceeds maximum allowed size (proto-max-bulk-len)": "unreadable",
    "ERR syntax error": "unreadable",
    "BUSYKEY Target key name already exists.": "unreadable",
    SCRIPT.format("READONLY You can't write"): "read-only",
    "ERR ACL failure in script: User few has no permissions to run the 'time' command script: 1": "authentication",
    "ERR The user executing the script can't run this command or subcommand script: 1": "authentication",
    "ERR Unknown Redis command called from script script: 1, on @user_script:1.": "protocol",
    "ERR Unknown command called from script script: 1, on @user_script:1.": "protocol",
    "ERR unsupported command 'EVALSHA'": "protocol",
    "ERR max daily request limit exceeded. Limit: 10000, Usage: 10000.": "throttled",
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


ONE_QUESTIONS = {"unreadable"}


@pytest.mark.parametrize(("text", "kind"), SAID.items(), ids=[text[:60] for text in SAID])
def test_only_what_says_something_of_the_server_is_counted(text, kind):
    assert unavailable(reply_error(text)).of_the_store is (kind not in ONE_QUESTIONS)
