"""The sample API: a small shop that uses every protection of Tidegate.

Reads top down: `app` composes, `routes` speak HTTP, `checkout` is the way of an order, `domain` decides
without I/O, `data` holds DynamoDB. `shop` opens the data layer, the only heavy import, when a request first
needs it.
"""
