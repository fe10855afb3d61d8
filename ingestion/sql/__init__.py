"""SQL as text, and lines of files as relations: what all rooms share. Nothing here knows a table of ours."""
