"""`tidegate new`: a project of one's own, made from this one."""
