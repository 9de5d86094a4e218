"""Expand/contract migrations of a project's tables, run by the releases; docs/migrations.md says how to write one.

Reads top down: `handler` is invoked, `runner` does an action, `planning` says what is due, `backfill` goes through a
table, `ledger` keeps the lock and the journal. `tables` says which there are, `versions` are the migrations themselves.
"""
