"""From received records to a load: typing, quarantine, accounting, changes against what is known. Reading the raw log belongs to ``rawlog``."""
