"""Loopback servers that speak the APIs of the sources, as far as a reader needs them, a package each. Their data come from the event log
alone: what they answer is a function of ``CompanyLog``. What happened in the company is simulated elsewhere (``demo.simulation``).
"""
