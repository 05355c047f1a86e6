"""A sweep takes no more than it has said, and not much less.

The constants of pipeline/sweeps/estimate.py are measured by the sweeps of this file, and by one of a million trials:
PROGRAM is the peak of "runs" and a seventh, TRIAL_IN_MEMORY how much more a million trials take, for each, and a seventh.
"""

import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.sweeps.estimate import GIB, free_disk, free_memory, size

# Runs a command and says its peak memory in KiB. It stands between: what these tests start has their own peak from the fork on.
PEAK_OF = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
LONG = ("task=xor", "network=trained", "initial=uniform", "max_epochs=3000")
SWEEPS = {
    "runs": (*LONG, "learning_rate=1,2", "seed=range(500)"),
    "no runs": (*LONG, "learning_rate=1,2,3,4", "seed=range(25000)", "tracking.runs=none"),
    "large networks": ("task=digits", "network.hidden=[32]", "initial=uniform", "seed=range(200)", "max_epochs=1"),
}


def used(folder: Path) -> int:
    """Bytes on disk, whole blocks of small files included."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*"))


@pytest.mark.slow
@pytest.mark.parametrize("sweep", SWEEPS)
def test_a_sweep_takes_what_it_has_said(sweep, store, folder):
    before = used(folder)
    command = [sys.executable, "-c", PEAK_OF, sys.executable, "-m", "pipeline.train", "-m", *SWEEPS[sweep]]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    *output, peak = ended.stdout.splitlines()
    said = re.search(r"up to ([0-9.]+) (.iB) of memory and ([0-9.]+) (.iB) of disk", "\n".join(output))
    memory, disk = float(said[1]) * UNITS[said[2]], float(said[3]) * UNITS[said[4]]
    assert 0.4 * memory < int(peak) * 1024 < memory
    # what is kept until all is recorded is gone by now
    assert 0.02 * disk < used(folder) - before < disk


def test_sizes_are_told_in_the_unit_that_fits():
    assert [size(number) for number in (1, 5000, 3 * 2**20, 5 * GIB // 2)] == ["1 KiB", "4 KiB", "3 MiB", "2.5 GiB"]


def test_what_is_free_is_known_for_folders_that_are_yet_to_be_made(tmp_path):
    assert free_disk(tmp_path / "not" / "yet") == pytest.approx(free_disk(tmp_path), rel=0.1)
    assert free_memory() > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
