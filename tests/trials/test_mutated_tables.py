"""20,000 mutated files, tables, held-out tables and weights: each is read right or refused in one line, fast, in little memory.

A table is read as pandas reads it, weights as NumPy does; no library warns.
"""

import json
import subprocess
import sys

import pytest

from tests import ROOT
from tests.mutated_tables import MEBIBYTES, check


def test_some_mutated_tables_are_read_right_or_refused_in_one_line(tmp_path):
    ends = check(300, 13, tmp_path)
    assert ends["refused table"] > 50
    assert ends["read, and equal to pandas"] > 20
    assert min(ends[end] for end in ("held out", "refused held out", "weights", "refused weights")) > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_mutated_tables_are_read_right_or_refused_in_one_line(seed, tmp_path):
    code = [sys.executable, "-m", "tests.mutated_tables", "5000", str(seed), str(tmp_path)]
    ended = subprocess.run(code, capture_output=True, text=True, timeout=900, check=False, cwd=ROOT)
    assert (ended.returncode, ended.stderr) == (0, "")
    ends, mebibytes = json.loads(ended.stdout)
    assert sum(ends.values()) == 5000
    assert ends["read, and equal to pandas"] > 500
    assert min(ends[end] for end in ("held out", "refused held out", "weights", "refused weights")) > 50
    assert mebibytes < MEBIBYTES
