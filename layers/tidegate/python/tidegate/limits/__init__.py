"""The limits that a route may declare: frozen, in human units, each one algorithm of `tidegate.algorithms`.

One file each, imported when an application names it: most name one, and a cold start needn't pay for five.
"""
