"""Proofs that nothing is lost: runs that are killed, sources that fail, records that nobody should send. Speed does not belong here (``benchmarks``)."""
