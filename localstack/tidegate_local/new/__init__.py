"""`tidegate new` and `tidegate upgrade`: a project that depends on the packages, and how it gets later ones."""
