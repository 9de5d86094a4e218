"""The API keys of whatever tiers a stack has."""

import contextlib

import pytest
from rich.console import Console

from tidegate_local import cloud
from tidegate_local.cli.shown import show_access
from tidegate_local.errors import DeploymentError
from tidegate_local.stacks import api_keys
from tidegate_local.state import LocalState


@pytest.fixture
def gateway(running_engine):
    with contextlib.closing(cloud.client("apigateway", running_engine.url)) as client:
        yield client


@pytest.mark.parametrize("tiers", [["free", "pro"], ["gold-plus"], ["b2b", "internal", "trial"], []])
def test_each_tier_of_the_stack_has_its_key_by_its_own_name(gateway, running_engine, tiers):
    api = gateway.create_rest_api(name="shop-local")["id"]
    gateway.create_api_key(name="shop-local-of-another-stack", enabled=True)
    made = {tier: gateway.create_api_key(name=f"shop-local-{tier}", enabled=True) for tier in tiers}
    outputs = {"ApiId": api, "KmsKeyId": "no key of the API's"}
    outputs |= {api_keys.output_of(tier): key["id"] for tier, key in made.items()}
    found = api_keys.read(running_engine.url, outputs)
    assert list(found) == tiers
    assert found == {tier: key["value"] for tier, key in made.items()}


def test_an_api_that_is_gone_is_an_error_with_a_way_out(running_engine):
    with pytest.raises(DeploymentError, match="make down && make up"):
        api_keys.read(running_engine.url, {"ApiId": "gone"})


@pytest.mark.parametrize("keys", [{}, {"gold-plus": "secret"}])
def test_access_is_shown_whatever_the_tiers_are_called(capsys, keys):
    state = LocalState("http://127.0.0.1:4566/a/api", "", "", "", keys, {}, {}, "", "", "")
    show_access(Console(width=200), state, ["curl -H 'x-api-key: $key' $url/books"])
    shown = capsys.readouterr().out
    assert all(key in shown for pair in keys.items() for key in pair)
    key = next(iter(keys.values()), "KEY")
    assert f"curl -H 'x-api-key: {key}' http://127.0.0.1:4566/a/api/books" in shown
