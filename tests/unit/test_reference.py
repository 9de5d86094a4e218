"""References that a client can follow, resolved as RFC 3986 has it, whatever comes before the application's paths."""

from urllib.parse import quote, unquote, urljoin, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.reference import reference

segments = st.text("ab:é /%.", min_size=1, max_size=4).filter(lambda text: text not in {".", ".."} and text != "%")
paths = st.lists(segments, min_size=1, max_size=4)


def scope(path: str, root: str = "", before: str | None = None) -> dict:
    """Return the scope of a request whose client has asked for `before` and then `path`; by default for `root`."""
    return {"root_path": root, "path": root + unquote(path), "raw_path": (quote(root) + path).encode()}


@pytest.mark.parametrize(
    ("asked", "root", "leads_to", "written"),
    [
        ("/v1/exports", "", "/v1/requests/7", "/v1/requests/7"),
        ("/v1/exports", "/live", "/v1/requests/7", "requests/7"),
        ("/v1/exports/", "/live", "/v1/requests/7", "../requests/7"),
        ("/v1/shops/3/exports", "/live", "/v1/requests/7", "../../requests/7"),
        ("/exports", "/live/", "/v1/requests/7", "v1/requests/7"),
        ("/v1/orders", "/live", "/v1/orders/7", "orders/7"),
        ("/v1/orders/7", "/live", "/v1/orders/7", "7"),
        ("/a%2Fb/exports", "/live", "/requests/7", "../requests/7"),
        ("/v1/exports", "/live", "/v1/a:b", "a%3Ab"),
        ("/v1/exports", "/live", "/", "../"),
        ("/exports", "/live", "/", "./"),
    ],
)
def test_a_reference_is_relative_below_a_root(asked, root, leads_to, written):
    assert reference(scope(asked, root.rstrip("/")) | {"root_path": root}, leads_to) == written


@given(paths, paths, st.sampled_from(["", "/live", "/shop/é"]), st.sampled_from(["", "/_aws/execute-api/a1"]))
def test_a_reference_is_followed_to_the_path_that_it_means(asked, meant, root, hidden):
    """`hidden` is what a gateway takes away without a word; it does so only in front of a stage."""
    hidden = hidden if root else ""
    path = "/" + "/".join(quote(part, safe="") for part in asked)
    target = "/" + "/".join(part.replace("/", "-") for part in meant)
    said = scope(path, root)
    url = f"https://api.test{hidden}{quote(root)}{path}"
    followed = urljoin(url, reference(said, target))
    assert unquote(urlsplit(followed).path) == hidden + root + target
    assert str(httpx.URL(url).join(reference(said, target))).startswith("https://api.test/")


def test_a_scope_without_a_raw_path_will_do():
    assert reference({"root_path": "/live", "path": "/live/v1/exports"}, "/v1/requests/7") == "requests/7"
    assert reference({"root_path": "/live", "path": "/v1/exports", "raw_path": b""}, "/v1/requests/7") == "requests/7"
