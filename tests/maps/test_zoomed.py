"""What is left of a map where it is zoomed into far: pixels that differ, and what rounding decides of them."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.app.composition import compose
from pipeline.backprop.engines import engine
from pipeline.maps.axis import Axis
from pipeline.maps.recording import artifacts
from pipeline.maps.recording.request import read_map
from pipeline.maps.rounding import reversed_units, rounding
from pipeline.maps.training import train
from tests import ROOT

LINES = 60  # columns at random places in which an edge is looked for
WIDTHS = {
    "1e-10": (1.0, 1),
    "1e-11": (0.8, 4),
    "1e-12": (0.4, 20),
}  # the share of windows without, and the most, changed pixels


def map_of(*words):
    return read_map(compose(words, "map")).grid


class Edges:
    """Where runs of a map end in another way: points (E,) on edges, found by bisection along columns, each in two orders."""

    def __init__(self, grid):
        self.grid, self.start = grid, grid.batch(np.zeros(1, np.int64))
        random = np.random.default_rng(2)
        columns = grid.across.values[random.integers(0, grid.across.size, LINES)]
        rows = grid.down.values
        status = self.status(np.repeat(columns, len(rows)), np.tile(rows, LINES)).reshape(LINES, -1)
        changes = [np.flatnonzero(line[1:] != line[:-1]) for line in status]
        found = [
            (column, random.choice(some), line)
            for column, some, line in zip(columns, changes, status, strict=True)
            if len(some)
        ]
        self.across = np.array([column for column, _, _ in found])
        below = np.array([line[row] for _, row, line in found])
        low, high = (np.array([rows[row + end] for _, row, _ in found]) for end in (0, 1))
        self.down = self.bisected(low, high, below)
        near = self.down - 1e-9, self.down + 1e-9
        self.shift = np.abs(self.bisected(*near, below, other_order=True) - self.down) / np.spacing(np.abs(self.down))

    def status(self, across, down, other_order=False):
        """How the runs (R,) at these places end."""
        batch = replace(
            self.start,
            initial_parameters=np.repeat(self.start.initial_parameters, len(across), axis=1),
            learning_rate=np.repeat(self.start.learning_rate, len(across), axis=1),
            momentum=np.repeat(self.start.momentum, len(across)),
            threshold=np.repeat(self.start.threshold, len(across)),
            training=np.arange(len(across)),
        )
        for axis, values in zip(self.grid.axes, (across, down), strict=True):
            if axis.name == "learning_rate":
                batch.learning_rate[:] = values
            else:
                batch.initial_parameters[int(axis.name.removeprefix("initial.set.w")) - 1] = values
        return engine("compiled")(reversed_units(batch) if other_order else batch, None, None, None).status.copy()

    def bisected(self, low, high, below, other_order=False):
        """The last number upwards with which runs end as those at `low`."""
        low, high = low.copy(), high.copy()
        while ((middle := low + (high - low) / 2) > low).any() and (np.nextafter(low, high) < high).any():
            same = self.status(self.across, middle, other_order) == below
            low, high = np.where(same, middle, low), np.where(same, high, middle)
        return low


@pytest.mark.slow
@pytest.mark.parametrize("name", ["worked_example", "xor_weights"])
def test_an_edge_lies_within_some_last_bits_of_where_another_order_puts_it(name):
    """So a map is exact down to widths at which its pixels come near these: docs/maps.md has the figures."""
    edges = Edges(map_of(f"map={name}", "map.size=256"))
    assert len(edges.across) > 20
    assert np.median(edges.shift) == 0
    assert np.quantile(edges.shift, 0.9) <= 4
    centres = [tuple(format(value, ".17g") for value in pair) for pair in zip(edges.across[:10], edges.down[:10], strict=True)]
    for width, (share, most) in WIDTHS.items():
        changed = []
        for centre in centres:
            axes = [
                Axis.around(axis.name, middle, width, axis.scale, 64)
                for axis, middle in zip(edges.grid.axes, centre, strict=True)
            ]
            zoomed = replace(edges.grid, across=axes[0], down=axes[1])
            assert all(len(np.unique(axis.values)) == 64 for axis in axes)
            result = train(zoomed)
            assert len(np.unique(result.status)) == 2  # the edge is in the picture
            changed.append(rounding(zoomed, result).differing)
        assert np.mean(np.array(changed) == 0) >= share
        assert max(changed) <= most


@pytest.mark.slow
def test_the_caption_of_the_papers_map_says_how_much_rounding_decides(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    said = {}
    monkeypatch.setattr(artifacts, "write_pictures", lambda *_, caption, **__: said.update(caption=caption))
    words = ["map=two_rates_16", "map.size=16", "causes=none"]
    for side, centre in (("across", "2.27"), ("down", "0.00336")):
        words += [
            f"map.{side}.{key}={value}"
            for key, value in {"from": "null", "to": "null", "centre": centre, "width": 0.09}.items()
        ]
    request = read_map(compose(words, "map"))
    result = train(request.grid)
    found = artifacts.find(request, result)
    artifacts.write_artifacts(tmp_path, request, result, found)
    assert found.metrics["rounding_share"] > 0.05
    number = round(256 * found.metrics["rounding_share"])
    assert f"of this picture ({number} of 256 runs end with another status when the hidden units are put" in said["caption"]
