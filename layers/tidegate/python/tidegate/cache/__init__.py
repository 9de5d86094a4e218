"""The cache: a route's policy, its copies, and the decisions on them."""
