"""What connectors are and share: the protocol, words about a source, trials of credentials, declared listings, places of files. No source belongs here."""
