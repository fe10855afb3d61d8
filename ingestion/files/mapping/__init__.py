"""The language of ``sources/<name>.yml``: its model with all checks, the SQL that it means, its reference. Reading files does not belong here."""
