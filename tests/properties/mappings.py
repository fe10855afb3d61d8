"""A small process and mappings of its exports, for tests that say what the rows are. What is tested belongs in the tests."""

from datetime import datetime

AS_OF = datetime(2026, 6, 1, 12)
PROCESS = """
company:
  name: Example
  currency: USD
  timezone: America/Chicago
  branches: {loop: {}, mile_high: {timezone: America/Denver}}
process:
  versions: [{key: baseline, effective_from: 2024-01-01}]
  stages:
    - {key: inquiry, object: lead}
    - {key: visit, object: deal}
    - {key: quote, object: deal}
    - {key: won, kind: won}
    - {key: lost, kind: lost}
    - {key: junk, kind: disqualified, object: lead}
"""
DEALS = """
files:
  - path: deals.csv
    entity: deals
    key: id
    columns:
      lead: {column: lead, optional: true}
      amount: {column: amount, optional: true}
      created_at: created
      closed_at: {column: closed, optional: true}
      updated_at: {column: changed, optional: true}
      branch: {column: branch, optional: true}
      owner: {column: rep, optional: true}
    dates: {format: iso8601, timezone: America/Chicago}
    stages:
      current: {column: stage, map: {Sold: won, Dead: lost, Offer: quote, Looked at: visit}}
      entered: {visit: created, won: {column: closed, optional: true}, lost: {column: closed, optional: true}}
"""
LEADS = """
  - path: leads.csv
    entity: leads
    key: id
    columns:
      created_at: created
      status: {column: status, optional: true}
      first_touch_at: {column: touched, optional: true}
    dates: {format: iso8601, timezone: America/Chicago}
"""
LOG = """
files:
  - path: log.csv
    entity: stage_events
    columns: {deal: case, stage: activity, at: at, owner: who}
    dates: {format: iso8601, timezone: America/Chicago}
"""
