"""The worker: runs what the API has queued, through the API's own application."""
