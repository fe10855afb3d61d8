"""Mappings of deals and of stages that several tests use."""

from __future__ import annotations

DEALS = """files:
  - path: deals_*.csv
    entity: deals
    key: id
    columns: {amount: value, created_at: created, expected_close_date: planned, product: product, is_deleted: gone}
    constants: {currency: EUR}
    values: {product: {GTXPro: GTX Pro, "1": One}, gone: {}}
    nulls: ["", "n/a", "Select"]
    dates: {format: "%d/%m/%Y %H:%M", timezone: America/Chicago, columns: {planned: {format: "%Y%m%d"}}}
    numbers: {decimal: ",", group: ".", signs: ["€", EUR]}
""".replace(", gone: {}", "")
HEADER = "id,value,created,planned,product,gone\n"
STAGES = """files:
  - path: deals.csv
    entity: deals
    key: id
    columns: {created_at: begun, pipeline: pipe}
    dates: {format: "%Y-%m-%d", timezone: UTC}
    stages:
      current: {column: stage, map: {Open: proposal, Won: won, Lost: lost, Paid: paid}}
      entered: {proposal: begun, won: closed, lost: closed, paid: paid}
"""
