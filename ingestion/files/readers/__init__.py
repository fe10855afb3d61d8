"""Files of any format as DuckDB relations. What their columns mean does not belong here (``files.mapping``)."""
