"""The gallery: its commands, its pictures, its pixels."""

import re

import pytest
from PIL import Image

from docs.gallery import LARGEST, MAPS
from pipeline.app.composition import compose
from pipeline.maps.recording.request import read_map
from pipeline.trials.configuration import TRIAL_KEYS, read_trial
from tests import ROOT

TEXT = (ROOT / "docs" / "gallery.md").read_text()


def test_the_page_shows_each_map_with_its_command():
    commands = re.findall(r"^python -m pipeline\.map(?: map=(\w+))?$", TEXT, re.MULTILINE)
    pictures = re.findall(r"^!\[[^]]+\]\(gallery/(\w+)\.png\)$", TEXT, re.MULTILINE)
    assert tuple(name or "worked_example" for name in commands) == tuple(pictures) == MAPS
    for name in MAPS:
        assert 5_000 < (ROOT / "docs" / "gallery" / f"{name}.png").stat().st_size <= LARGEST


def test_the_film_has_the_frames_of_its_command():
    [words] = re.findall(r"^python -m pipeline\.map (.* map\.film\..*)$", TEXT, re.MULTILINE)
    request = read_map(compose(words.split(), "map"))
    path = ROOT / "docs" / "gallery" / "film.webp"
    with Image.open(path) as film:
        assert (film.n_frames, film.width) == (request.film.frames, request.grid.across.size)
    assert path.stat().st_size < 800_000


def test_the_films_of_the_page_on_maps_can_be_made():
    commands = re.findall(
        r"^python -m pipeline\.map (.* map\.film\..*)$", (ROOT / "docs" / "maps.md").read_text(), re.MULTILINE
    )
    assert [read_map(compose(words.split(), "map")).film.doublings for words in commands] == [20, 30]


@pytest.mark.slow
@pytest.mark.parametrize("name", MAPS)
def test_a_pixel_of_each_map_is_the_trial_of_its_own_command(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    grid = read_map(compose([f"map={name}"], "map")).grid
    config = compose(grid.overrides(311, 120))
    assert read_trial({key: config[key] for key in TRIAL_KEYS}) == grid.trial(311, 120)
