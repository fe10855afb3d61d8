"""Speed, as ratios against peers on the same data (``make bench``). What proves that nothing is lost is in ``proofs``.

Nothing here decides whether a test passes; figures go to the screen and to ``var/bench/<name>.json``.
"""
