"""Files and tables of databases as sources, mapped by ``sources/<name>.yml`` to canonical entities. Applications with an API do not belong here."""
