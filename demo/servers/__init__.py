"""Loopback servers that speak the APIs of HubSpot and Typeform, as far as a reader needs them. Their data come from the event log
alone: what they answer is a function of ``CompanyLog``. What happened in the company is simulated elsewhere (``demo.simulate``).
"""
