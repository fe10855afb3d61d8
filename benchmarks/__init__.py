"""Measured claims: speed as ratios against peers on the same data (``make bench``), faults as counts (``make torture``).

Nothing here decides whether a test passes; figures go to the screen and to ``var/bench/<name>.json``.
"""
