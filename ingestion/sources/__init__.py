"""Sources: a package per application that is read, each with what ``ingestion.connector.protocol`` asks for. What two of them share does not belong here."""
