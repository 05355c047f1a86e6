"""20,000 mutated tables: each is read as pandas reads it, or refused in one line; quickly, quietly, in little memory."""

import json
import subprocess
import sys

import pytest

from tests import ROOT
from tests.mutated_tables import MEBIBYTES, check


def test_some_mutated_tables_are_read_right_or_refused_in_one_line(tmp_path):
    ends = check(300, 13, tmp_path)
    assert ends["refused"] > 50
    assert ends["read, and equal to pandas"] > 20


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_mutated_tables_are_read_right_or_refused_in_one_line(seed, tmp_path):
    code = [sys.executable, "-m", "tests.mutated_tables", "5000", str(seed), str(tmp_path)]
    ended = subprocess.run(code, capture_output=True, text=True, timeout=900, check=False, cwd=ROOT)
    assert (ended.returncode, ended.stderr) == (0, "")
    ends, mebibytes = json.loads(ended.stdout)
    assert sum(ends.values()) == 5000
    assert ends["read, and equal to pandas"] > 500
    assert mebibytes < MEBIBYTES
