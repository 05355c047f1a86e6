"""The gallery: its commands, its pictures, its pixels."""

import re

import pytest

from docs.gallery import LARGEST, MAPS
from pipeline.app.composition import compose
from pipeline.maps.recording.request import read_map
from pipeline.trials.configuration import TRIAL_KEYS, read_trial
from tests import ROOT

TEXT = (ROOT / "docs" / "gallery.md").read_text()


def test_the_page_shows_each_map_with_its_command():
    commands = re.findall(r"^    python -m pipeline\.map(?: map=(\w+))?$", TEXT, re.MULTILINE)
    pictures = re.findall(r"^!\[[^]]+\]\(gallery/(\w+)\.png\)$", TEXT, re.MULTILINE)
    assert tuple(name or "worked_example" for name in commands) == tuple(pictures) == MAPS
    for name in MAPS:
        assert 5_000 < (ROOT / "docs" / "gallery" / f"{name}.png").stat().st_size <= LARGEST


@pytest.mark.slow
@pytest.mark.parametrize("name", MAPS)
def test_a_pixel_of_each_map_is_the_trial_of_its_own_command(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    grid = read_map(compose([f"map={name}"], "map")).grid
    config = compose(grid.overrides(311, 120))
    assert read_trial({key: config[key] for key in TRIAL_KEYS}) == grid.trial(311, 120)
