"""Python models on the warehouse's tables: forecasts as of past Mondays.

What SQL says well is in ``dbt_project``; what people read is in ``reporting``. Imports only ``salesgauge``.
"""
