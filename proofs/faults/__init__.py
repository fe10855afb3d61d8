"""``make faults``: every fault script against every API source; nothing may be lost, doubled, or fail without a word."""
