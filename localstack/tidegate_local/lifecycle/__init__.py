"""The local cloud's life: `tidegate up`, `down` and `status`."""
