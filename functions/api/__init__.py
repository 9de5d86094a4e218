"""The sample API: a small shop that uses every protection of Tidegate.

Read it top down: `app` composes, `routes` speak HTTP, `checkout` places an order, `domain` decides without I/O, `data`
holds DynamoDB. `shop` opens the data layer, the only heavy import, when a request first needs it.
"""
