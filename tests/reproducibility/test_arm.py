"""The compiled engine gives the recorded bits on Arm too, whose vectors and instructions are others."""

from pathlib import Path

import pytest

from pipeline.reproducibility import baselines
from tests.reproducibility.elsewhere import elsewhere
from tests.reproducibility.emulated_arm import UnavailableError, make_machine

EVERY = 6
NEEDS_SCIKIT_LEARN = ("task=iris", "task=digits")  # whose data come with it


def sample() -> list[baselines.Row]:
    rows = [row for path in baselines.files(baselines.FOLDER) for row in baselines.read(path)]
    return [row for row in rows if not any(task in row["overrides"] for task in NEEDS_SCIKIT_LEARN)][::EVERY]


@pytest.mark.slow
def test_every_sixth_baseline_has_its_bits_on_arm(tmp_path: Path) -> None:
    try:
        python = make_machine(tmp_path)
    except UnavailableError as error:
        pytest.skip(f"no emulated Arm machine: {error}")
    rows = sample()
    there = elsewhere(rows, python=str(python), engine="compiled", BACKPROP_CACHE_DIR=str(tmp_path / "compiled"))
    assert there == [row["digest"] for row in rows]


def test_what_an_emulated_machine_needs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("shutil.which", lambda program: None)
    with pytest.raises(UnavailableError, match="qemu-aarch64-static is missing: Debian's qemu-user-static has it"):
        make_machine(tmp_path)
