"""The migrations, one file each, in the order of their numbers; a file that ran is never changed."""
