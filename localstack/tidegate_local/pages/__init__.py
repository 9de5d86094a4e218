"""Reports as pages: one shell of HTML, which needs no other file and no script, for all of them."""
