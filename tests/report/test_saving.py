"""A figure is the same files each time, and as wide as it may be."""

from math import inf

from matplotlib.figure import Figure

from pipeline.report.figures.drawing import epochs_axis
from pipeline.report.figures.saving import save


def small() -> Figure:
    """A figure that takes milliseconds."""
    figure = Figure(figsize=(2, 1))
    epochs_axis(figure.subplots(), 100)
    return figure


def test_a_png_is_as_wide_as_it_may_be_and_the_same_figure_is_the_same_files(tmp_path):
    for name, widest, width in (("usual", inf, 260), ("narrow", 90, 90)):
        save(small(), tmp_path / f"{name}.svg", widest=widest)
        assert int.from_bytes((tmp_path / f"{name}.png").read_bytes()[16:20], "big") == width
    save(small(), tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_bytes() == (tmp_path / "usual.svg").read_bytes()
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "usual.png").read_bytes()
