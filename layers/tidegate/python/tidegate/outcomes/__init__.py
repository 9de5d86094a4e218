"""What became of the requests, counted per version: what a release is judged by."""
