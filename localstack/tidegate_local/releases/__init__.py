"""Releases: `tidegate release`, `rollback` and `migrate`, and what brings a release that died to rest."""
