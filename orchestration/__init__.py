"""What drives the parts: Dagster definitions, the ``salesgauge`` command, alerts.

The only package that imports Dagster. What a step does belongs to the package that it calls; here stands the order of the steps.
"""
