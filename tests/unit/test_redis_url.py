"""A server's address: every form of the URL, and what is refused, by name and without a secret."""

import ssl

import pytest

from tests.harness.certificates import make_certificate
from tidegate.redis_driver.node import RedisTarget
from tidegate.redis_driver.url import Address, Tls, parse

READ = {
    "redis://": Address(),
    "redis://cache": Address("cache"),
    "redis://cache:7000": Address("cache", 7000),
    "redis://cache/": Address("cache"),
    "redis://cache:7000/3": Address("cache", 7000, database=3),
    "redis://cache/3?db=4": Address("cache", database=4),
    "redis://:secret@cache": Address("cache", password="secret"),
    "redis://user:p%40ss%2F%3A%25@cache": Address("cache", username="user", password="p@ss/:%"),
    "redis://us%65r:secret@cache": Address("cache", username="user", password="secret"),
    "redis://cache?username=user&password=p%26ss": Address("cache", username="user", password="p&ss"),
    "redis://[::1]:7000": Address("::1", 7000),
    "rediss://cache": Address("cache", tls=Tls()),
    "rediss://cache?ssl_cert_reqs=none": Address("cache", tls=Tls(verify=ssl.CERT_NONE)),
    "rediss://cache?ssl_cert_reqs=optional": Address("cache", tls=Tls(verify=ssl.CERT_OPTIONAL)),
    "rediss://cache?ssl_check_hostname=false": Address("cache", tls=Tls(check_hostname=False)),
    "rediss://cache?ssl_ca_certs=/a%20b.pem&ssl_ca_path=/certs": Address(
        "cache", tls=Tls(ca_certs="/a b.pem", ca_path="/certs")
    ),
    "rediss://cache?ssl_certfile=/c.pem&ssl_keyfile=/k.pem": Address(
        "cache", tls=Tls(certfile="/c.pem", keyfile="/k.pem")
    ),
    "unix:///run/redis.sock": Address(path="/run/redis.sock"),
    "unix://:secret@/run/redis.sock?db=2": Address(path="/run/redis.sock", password="secret", database=2),
    "unix:///run/a%20b.sock": Address(path="/run/a b.sock"),
}

REFUSED = {
    "http://cache": "redis://, rediss:// or unix://",
    "cache:6379": "redis://, rediss:// or unix://",
    "redis://:hunter2@cache:port": "",
    "redis://:hunter2@cache:0": "port",
    "redis://:hunter2@cache:65536": "",
    "redis://:hunter2@cache/first": "database",
    "redis://:hunter2@cache/1/2": "database",
    "redis://:hunter2@cache?db=first": "database",
    "redis://:hunter2@cache?db=-1": "database",
    "redis://:hunter2@cache?socket_timeout=5": "socket_timeout",
    "redis://:hunter2@cache?ssl_cert_reqs=none": "ssl_cert_reqs",
    "rediss://:hunter2@cache?ssl_cert_reqs=never": "none, optional, required",
    "rediss://:hunter2@cache?ssl_check_hostname=perhaps": "true or false",
    "rediss://:hunter2@cache?ssl_speed=9": "ssl_speed",
    "unix://": "socket",
}


@pytest.mark.parametrize(("url", "address"), READ.items(), ids=READ)
def test_an_address_is_read(url, address):
    assert parse(url) == address


@pytest.mark.parametrize(("url", "named"), REFUSED.items(), ids=REFUSED)
def test_what_cant_be_read_is_refused_and_named_without_the_secret(url, named):
    with pytest.raises(ValueError) as raised:  # noqa: PT011  each case names what it says
        RedisTarget(url, 1, 1).check()
    assert named in str(raised.value)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("url", ["redis://cache/1", "unix:///run/redis.sock"])
def test_a_cluster_is_at_no_socket_and_has_one_database(url):
    RedisTarget(url, 1, 1).check()
    with pytest.raises(ValueError, match="a cluster has"):
        RedisTarget(url, 1, 1, cluster=True).check()


def test_an_address_that_is_printed_shows_no_secret():
    assert "hunter2" not in repr(parse("redis://user:hunter2@cache:7000/1"))


def test_only_the_named_certificates_are_trusted_and_the_host_is_checked(tmp_path):
    certificate = make_certificate(tmp_path).certificate
    context = Tls(ca_certs=str(certificate)).context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert len(context.get_ca_certs()) <= 1


def test_without_verification_no_host_is_checked():
    context = Tls(verify=ssl.CERT_NONE).context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)
