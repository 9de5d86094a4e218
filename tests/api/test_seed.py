"""The shop's first products, as they are put on sale wherever it is deployed."""

import json

from tidegate_local.project_facts import ProjectFacts


def test_the_first_products_show_plenty_and_none():
    (seed,) = ProjectFacts.read().seed
    products = json.loads(seed.items.read_text(encoding="utf-8"))
    assert len({product["id"] for product in products}) == len(products) >= 20
    assert {0, 1, 1000} <= {product["stock"] for product in products}
    assert all(isinstance(product["price"], int) and product["price"] > 0 for product in products)
    assert {product["currency"] for product in products} == {"EUR"}
