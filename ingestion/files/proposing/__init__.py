"""A first mapping, proposed from what real files look like. What a mapping says does not belong here (``files.mapping``)."""
