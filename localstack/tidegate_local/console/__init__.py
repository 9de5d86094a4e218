"""`tidegate console`: the cloud that is up as one page in the browser, and buttons that break it."""
