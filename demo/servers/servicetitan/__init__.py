"""A loopback ServiceTitan: what it holds of the company, how it answers, the server. What other servers do too does not belong here."""
