"""Great Expectations reports its use by default. Ours opens no connection, and is only loaded when a suite runs, with what that needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

GUARD = """
import socket, sys
sys.path.insert(0, sys.argv[1])
attempts = []
def refused(*arguments, **options):
    attempts.append(arguments)
    raise OSError("no network in this test")
for name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, name, refused)
socket.getaddrinfo = socket.create_connection = socket.gethostbyname = refused
"""

AUDIT = (
    GUARD
    + """
from pathlib import Path
import quality, small_warehouse as small
assert "great_expectations" not in sys.modules, "loaded too early"
company = small.make_company(Path(sys.argv[2]))
con = small.fill(company)
outcome = quality.audit(con, company, as_of=small.AS_OF, dbt_results=[])
assert "great_expectations" in sys.modules
import threading, atexit
names = {thread.name for thread in threading.enumerate()}
assert names <= {"MainThread", "tqdm_monitor"}, names  # nobody is left who could send something later
atexit.register(lambda: sys.stdout.write(f"{outcome.passed} {len(attempts)}\\n"))
"""
)

STATISTICS = """
import sys
from quality.gx import _great_expectations
gx = _great_expectations()
assert "scipy.stats" in sys.modules and "scipy.stats._stats_py" not in sys.modules, "loaded too early"
import pandas
context = gx.get_context(mode="ephemeral")
context.variables.progress_bars = {"globally": False}
asset = context.data_sources.add_pandas("frames").add_dataframe_asset("frame")
batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": pandas.DataFrame({"x": ["a", "b", "b", "b"]})})
expected = {"values": ["a", "b"], "weights": [0.5, 0.5]}
result = batch.validate(gx.expectations.ExpectColumnKLDivergenceToBeLessThan(column="x", partition_object=expected, threshold=0.2))
import scipy.stats
assert "scipy.stats._stats_py" in sys.modules
sys.stdout.write(f"{result.success} {result.result['observed_value']:.4f} {scipy.stats.entropy([1, 1]):.4f}\\n")
"""

PROBE = (
    GUARD
    + """
import urllib.request
try:
    urllib.request.urlopen("http://127.0.0.1:9")
except OSError:
    pass
sys.stdout.write(f"{len(attempts)}\\n")
"""
)


def _run(program: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_audit_opens_no_connection(tmp_path: Path) -> None:
    assert _run(AUDIT, HERE, tmp_path / "company") == "True 0\n"


def test_the_guard_would_notice(tmp_path: Path) -> None:
    assert int(_run(PROBE, HERE)) >= 1


def test_statistics_are_loaded_when_an_expectation_needs_them(tmp_path: Path) -> None:
    assert _run(STATISTICS) == "True 0.1308 0.6931\n"
