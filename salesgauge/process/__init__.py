"""The process file: the company's sales process as data.

``model`` says what may stand in it, ``expressions`` parses its conditions, ``tables`` writes it to the warehouse. What a KPI does with it
belongs to the models in ``dbt_project``.
"""

from salesgauge.process.model import Process

__all__ = ["Process"]
