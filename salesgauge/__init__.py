"""What every part of Salesgauge shares: settings, the process file's model, the canonical entities, warehouse connections.

Imports nothing else of the project. Business rules do not belong here (they are in ``dbt_project``), nor does anything that
talks to a source, an orchestrator or a person.
"""
