"""Versions of the shop that are bad on purpose."""

CHECKOUT = "functions/api/checkout.py"
PRODUCTS = "functions/api/data/products.py"

# Orders that fail in the new version; its health, and whatever is read, are as well as ever.
FAILING_ORDERS = """
import random as _random

_good_place = Checkout.place


def _bad_place(self, wish):
    if _random.random() < {share}:
        raise RuntimeError("a release that is bad on purpose")
    return _good_place(self, wish)


Checkout.place = _bad_place
"""

# Orders that take long: a quarter of the traffic, which is its p95.
SLOW_ORDERS = """
import time as _time

_quick_place = Checkout.place


def _slow_place(self, wish):
    _time.sleep({seconds})
    return _quick_place(self, wish)


Checkout.place = _slow_place
"""

SLOW_PAGES = """
import time as _time

_quick_page = ProductTable.page


def _slow_page(self, *args, **kwargs):
    _time.sleep({seconds})  # no processor's time: many environments share a few cores here
    return _quick_page(self, *args, **kwargs)


ProductTable.page = _slow_page
"""
