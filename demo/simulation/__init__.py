"""The simulation: what happens in the company, from a seed to the event log. How systems show it does not belong here (``demo.servers``)."""
