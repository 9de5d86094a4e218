"""The limits that a route may declare: frozen, in human units, each with its pure rule, which every store follows.

Each has a file, imported when an application names it: most name only one, and a cold start pays for each import.
"""
