"""Figures are there for every design that has something to show, say what stands behind them, and are the same each time."""

import re
import warnings
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from pipeline.report.figures import files as figures
from pipeline.report.figures.drawing import contrast, legend_below, plain, readable_on, spread
from pipeline.report.figures.heat_maps import median_map, rate_map
from pipeline.report.figures.running_times import cost, profiles, run_lengths, survival
from pipeline.report.figures.starts.outcomes import start_outcomes
from pipeline.report.figures.trajectories import error_curves, final_weights
from pipeline.report.figures.views.restart_cutoffs import restart_cutoffs
from pipeline.report.note import PICTURES, note
from pipeline.report.numbers import tick
from pipeline.report.tables import report
from pipeline.stats.sample import Sample
from pipeline.stats.summary import Summary
from pipeline.stats.trajectories import at_epochs, chosen_weights, error_bands, quantile, weight_quantiles
from tests.designs import USUAL, Listed, curves_of, sweep, weights_of
from tests.machine import at_most

EPOCHS = np.array([0, 1, 10, 100])
EDGES = {
    "usual": sweep(**USUAL),
    "one run": sweep(learning_rate=[0.5]),
    "one axis": sweep(learning_rate=[0.1, 1.0, 10.0]),
    "seeds only": sweep(**{"seed": range(20)}),
    "thresholds only": sweep(threshold=[1e-1, 1e-2]),
    "texts": sweep(**{"network.activation": ["sigmoid", "tanh"], "network.hidden": ["[2]", "[4,4]"], "seed": range(3)}),
    "hostile": sweep(**{"<b>$x^": ["$\\frac{1}$", "</svg>", "日本", "a\nb", ""], "%s{0}": [None, "$", "x" * 300]}),
    "mixed": sweep(learning_rate=[0.5, "[0.5,0.1]", None], momentum=[0.0, True]),
    "12 axes": sweep(**{f"axis_{number}": [1, 2] for number in range(12)}),
    "many values": sweep(learning_rate=np.geomspace(0.01, 10, 40).tolist(), momentum=np.linspace(0, 0.9, 30).tolist()),
    "negative and zero": sweep(shift=[-1.0, 0.0, 2.0], learning_rate=[1.0]),
    "nothing converged": sweep(**USUAL).assign(status="exhausted", epochs=1000),
    "all diverged": sweep(**USUAL).assign(status="diverged", epochs=3, final_error=np.inf),
    "all at epoch 0": sweep(**USUAL).assign(status="converged", epochs=0, final_error=0.0),
    "stationary": sweep(**USUAL).assign(status="stationary", epochs=7),
    "enormous": sweep(learning_rate=[1e-300, 1.0, 1e300], seed=range(3), threshold=[1e-300, 1e300]).assign(
        status=["converged", "diverged", "exhausted"] * 6, epochs=[10**12, 3, 10**12] * 6, final_error=[0.0, 1e308, 1e300] * 6
    ),
}  # fmt: skip


SLOW = (
    "usual", "stationary", "many values", "negative and zero", "mixed", "texts", "12 axes", "all at epoch 0", "all diverged",
    "enormous",
)  # fmt: skip


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in EDGES])
def test_every_design_is_drawn_without_a_warning(name):
    results = EDGES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = dict(figures.pictures(Summary(results), curves_of(results), weights_of(results)))
        for picture in drawn.values():
            picture.figure.draw_without_rendering()
            assert picture.caption.strip()
            lowest = len(results) // max(1, len(Summary(results).thresholds))
            assert re.search(rf"\b({len(results):,}|{lowest:,}) run|start", picture.caption)
    assert {"survival", "run_lengths", "error_curves", "weights"} <= set(drawn)


@pytest.mark.slow
def test_a_usual_sweep_has_all_figures_as_svg_and_png_and_captions(tmp_path):
    results = EDGES["usual"]
    captions = figures.write_figures(Summary(results), tmp_path / "figures", curves_of(results), weights_of(results))
    names = {
        "rate_map", "heat_maps", "start_outcomes", "cost_by_initial.range", "cost", "error_curves", "fixed_target",
        "fixed_budget", "survival_by_initial.range", "survival", "run_lengths", "restart_cutoffs", "profiles",
        "partial_dependence", "weights",
    }  # fmt: skip
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        f"{name}.{kind}" for name in names for kind in ("svg", "png")
    }
    assert {path.stem for path in captions} == names
    order = [path.stem for path in captions]
    assert order.index("cost_by_initial.range") < order.index("cost")
    for path in captions:
        assert ElementTree.parse(path).getroot().tag.endswith("svg")
        png = path.with_suffix(".png").read_bytes()
        assert png.startswith(b"\x89PNG")
        assert path.stem not in PICTURES or int.from_bytes(png[16:20], "big") <= 960  # the width


@pytest.mark.parametrize("error_goals", [True, False])
def test_a_threshold_is_drawn_only_where_it_is_a_total_error(error_goals):
    results = EDGES["usual"]
    picture = figures.drawings(curves_of(results), None, error_goals)["error_curves"](Summary(results))
    dashed = [line for plot in picture.figure.axes for line in plot.lines if line.get_linestyle() == "--"]
    assert bool(dashed) == error_goals == ("Dashed" in picture.caption)


def test_the_same_results_give_the_same_files(tmp_path, monkeypatch):
    import matplotlib

    results = EDGES["one axis"]
    figures.write_figures(Summary(results), tmp_path / "a", curves_of(results))
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 30)  # a user's own style changes nothing
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    figures.write_figures(Summary(results), tmp_path / "b", curves_of(results))
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_drawing_leaves_matplotlibs_settings_alone_and_opens_no_window():
    import sys

    import matplotlib

    before = dict(matplotlib.rcParams)
    survival(Summary(EDGES["usual"]))
    assert dict(matplotlib.rcParams) == before
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_thresholds_of_another_criterion_are_drawn_on_no_axis_of_total_error():
    import pipeline as bp

    sweep = bp.sweep("criterion=worst_output", learning_rate=[0.5, 2], threshold=[0.5, 0.4], max_epochs=20)
    for name in ("error_curves", "fixed_budget"):
        figure = sweep.figure(name)
        lines = [line for plot in figure.axes for line in plot.lines if line.get_linestyle() in ("--", ":")]
        assert not [line for line in lines if set(line.get_ydata()) & {0.5, 0.4}], name


def test_a_map_in_which_nothing_was_reached_has_no_scale():
    summary = Summary(EDGES["nothing converged"])
    for draw, panels in ((median_map, 2), (rate_map, 2)):
        figure = draw(summary).figure
        assert len(figure.axes) == panels
        assert draw is rate_map or "Median epochs to convergence: not reached" in figure.get_suptitle()
    assert len(rate_map(Summary(EDGES["usual"])).figure.axes) == 3


@pytest.mark.parametrize("draw", [median_map, rate_map])
def test_every_number_in_a_cell_has_a_contrast_of_at_least_four_and_a_half(draw):
    rates = np.linspace(0.02, 1.0, 12)
    results = pd.concat([
        sweep(learning_rate=[rate], momentum=[0.0, 0.5], seed=range(50)).assign(
            status=np.where(np.arange(100) % 50 < 50 * rate, "converged", "exhausted"), epochs=round(10 ** (4 * rate))
        )
        for rate in rates
    ], ignore_index=True)  # fmt: skip
    plot = draw(Summary(results)).figure.axes[0]
    image = plot.collections[-1]
    cells = np.asarray(image.cmap(image.norm(image.get_array()))).reshape(-1, 4)
    assert len(plot.texts) == 24
    columns = int(plot.get_xlim()[1])
    for text in plot.texts:
        x, y = (int(position) for position in text.get_position())
        shown = cells[y * columns + x]
        background = shown[:3] if shown[3] else (0.85,) * 3
        assert contrast(text.get_color(), background) >= 4.5, text.get_text()


def test_black_or_white_is_readable_on_every_colour():
    for colour in np.random.default_rng(0).random((500, 3)):
        assert contrast(readable_on(colour), colour) >= 4.58
    assert contrast("black", "white") == pytest.approx(21)
    assert contrast("#767676", "white") == pytest.approx(4.54, abs=0.01)  # the grey that WCAG names as just enough


def test_weights_of_diverged_runs_are_left_out_and_very_large_ones_do_not_hide_the_others():
    results = EDGES["usual"].copy()
    results.loc[::3, "status"] = "diverged"
    weights = weights_of(results)
    weights.final[:, ::3] = 1e200
    picture = final_weights(Summary(results), weights)
    left_out = (results["status"].eq("diverged") & results["threshold"].eq(1e-3)).sum()
    assert f"The final weights of {left_out} runs that diverged are left out." in picture.caption
    assert picture.figure.axes[0].get_yscale() == "linear"
    assert max(map(abs, picture.figure.axes[0].get_ylim())) < 10
    weights.final[3, 1::3] = 4000.0
    picture = final_weights(Summary(results), weights)
    plot = picture.figure.axes[0]
    assert plot.get_yscale() == "symlog"
    assert "logarithmic" in picture.caption
    low, high = (plot.transAxes.inverted().transform(plot.transData.transform((0, y)))[1] for y in (-1, 1))
    assert high - low > 0.03  # of the height: initial weights of -1 and 1 are apart


@pytest.mark.parametrize("runs", [4_200, 826_828, 98_765_432])
def test_a_legend_below_the_panels_is_not_cut(runs):
    figure = Figure(figsize=(6.1, 2), layout="constrained")
    plot = figure.subplots()
    for name in ("initial", "final, converged", "final, not converged"):
        plot.plot([0, 1], label=f"{name} ({runs:,})")
    legend_below(figure, plot, 3)
    figure.get_layout_engine().execute(figure)
    [box] = figure.legends
    extent = box.get_window_extent()
    assert 0 <= extent.x0 < extent.x1 <= figure.bbox.width
    assert [text.get_text() for text in box.get_texts()] == plot.get_legend_handles_labels()[1]
    assert box._ncols == {4_200: 3, 826_828: 2, 98_765_432: 2}[runs]


def test_legends_stand_beside_their_panel():
    for draw in (survival, run_lengths, profiles):
        figure = draw(Summary(EDGES["usual"])).figure
        figure.draw_without_rendering()
        plot = figure.axes[-1] if draw is not survival else figure.axes[1]
        box, panel = plot.get_legend().get_window_extent(), plot.get_window_extent()
        assert box.x0 > panel.x1
        assert abs((box.y0 + box.y1) - (panel.y0 + panel.y1)) < 4
        assert box.x1 <= figure.bbox.x1
        assert not figure.legends


def test_figures_are_drawn_for_every_axis_but_a_few_of_very_many():
    summary = Summary(
        sweep(momentum=[0.0, 0.9], learning_rate=[0.1, 1.0], **{"a/b": [1, 2], "initial.range": [1, 2]}, seed=range(2))
    )
    for name in ("cost", "survival"):
        drawn = list(figures.views(summary, name))
        assert len(drawn) == 4
        assert drawn[0][0] in ("_by_initial.range", "")  # first, unless it is the main axis
        assert {axes[0] if axes else summary.main_axes[0] for _, axes in drawn} == set(summary.main_axes)
        assert all(name == f"_by_{axes[0].replace('/', '_')}" for name, axes in drawn if axes)
    assert len(list(figures.views(summary, "rate_map"))) == 3
    assert all(summary.main_axes[0] in axes for _, axes in figures.views(summary, "rate_map") if axes)
    assert list(figures.views(summary, "profiles")) == [("", None)]
    assert len(list(figures.views(Summary(EDGES["12 axes"].head(512)), "cost"))) == 1 + figures.MOST_OTHERS


def test_where_each_start_converges_has_a_panel_for_each_range_and_says_how_many_fail():
    picture = start_outcomes(Summary(EDGES["usual"]))
    titles = [plot.get_title() for plot in picture.figure.axes]
    assert titles[:2] == ["initial.range 0.5", "initial.range 2"]
    counted = re.search(
        r"(\d+) of 10 starts \(a seed and range\) converge at every learning_rate, (\d+) at some, (\d+) at none",
        picture.caption,
    )
    lowest = EDGES["usual"].query("threshold == 0.001").assign(ok=lambda table: table["status"] == "converged")
    share = lowest.groupby(["seed", "initial.range"])["ok"].mean()
    expected = (share == 1).sum(), ((share > 0) & (share < 1)).sum(), (share == 0).sum()
    assert tuple(map(int, counted.groups())) == expected
    assert start_outcomes(Summary(EDGES["one axis"])) is None


def test_restarts_are_held_at_the_best_setting_and_said_to_be():
    results = EDGES["usual"]
    summary = Summary(results)
    picture = restart_cutoffs(summary)
    best = summary.best["initial.range"].iloc[-1]
    assert f"held fixed at the best setting: initial.range = {best:g}" in picture.caption
    assert restart_cutoffs(Summary(results[results["seed"] == 0].drop(columns="seed"))) is None


def test_no_runs_have_no_figures(tmp_path):
    assert figures.write_figures(Summary(EDGES["usual"].head(0)), tmp_path / "none") == {}


def texts(figure) -> list[str]:
    """All texts in a figure."""
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_heat_maps_write_what_was_reached_and_mark_what_was_not():
    results = pd.DataFrame(
        {"learning_rate": [1.0] * 4 + [2.0] * 4, "momentum": [0.0, 0.0, 0.5, 0.5] * 2,
         "status": ["converged"] * 4 + ["exhausted"] * 4,
         "epochs": [10, 20, 30, 30] + [99] * 4, "final_error": 0.0}
    )  # fmt: skip
    written = texts(median_map(Summary(results)).figure)
    assert {"2/2\n14.14", "2/2\n30", "0/2\n–"} <= set(written)
    hatched = [patch for patch in median_map(Summary(results)).figure.axes[0].patches if patch.get_hatch()]
    assert len(hatched) == 2
    assert {"2/2\n100%", "0/2\n–"} <= set(texts(rate_map(Summary(results)).figure))


def test_combinations_that_were_not_run_stay_empty():
    results = EDGES["usual"].iloc[:-5]
    figure = median_map(Summary(results[results["initial.range"].eq(0.5) | results["learning_rate"].eq(0.1)])).figure
    cells = [text for text in texts(figure) if "/" in text]
    assert len(cells) == 2 * 4  # of 6 cells in each of two panels, 4 have runs


def test_more_than_two_axes_show_the_two_that_matter_and_say_what_is_pooled():
    results = sweep(idle=[1, 2, 3], learning_rate=[0.1, 10.0], **{"initial.range": [1, 2]}, seed=range(20))
    results["epochs"] = np.where(results["initial.range"] == 2, results["epochs"] // 10, results["epochs"])
    assert Summary(results).main_axes == ["learning_rate", "initial.range", "idle"]
    picture = median_map(Summary(results))
    assert "learning_rate (up) and initial.range (across)" in picture.caption
    assert "pooled over idle (3), seed (20)" in picture.caption


def test_a_heat_map_of_given_axes_has_the_first_upwards_and_one_panel_if_one_is_the_threshold():
    summary = Summary(EDGES["usual"])
    assert "initial.range (up) and learning_rate (across)" in median_map(summary, ["initial.range", "learning_rate"]).caption
    picture = median_map(summary, ["threshold", "learning_rate"])
    assert len([text for text in texts(picture.figure) if "/" in text]) == 2 * 3
    assert "pooled over initial.range (2), seed (5)" in picture.caption


def test_one_axis_has_no_heat_map_and_one_value_no_profile():
    assert median_map(Summary(EDGES["one axis"])) is None
    assert profiles(Summary(EDGES["seeds only"])) is None
    assert cost(Summary(EDGES["one run"])) is None


def test_survival_and_run_lengths_end_at_the_shares_that_converged():
    results = EDGES["usual"]
    lines = {
        line.get_label(): line.get_ydata()
        for line in run_lengths(Summary(results)).figure.axes[0].lines
        if line.get_label() in ("0.1", "0.5", "5")
    }
    assert len(lines) == 3
    for rate, share in lines.items():
        runs = results[results["learning_rate"] == float(rate)]
        assert share[-1] == pytest.approx((runs["status"] == "converged").mean())
    plot = survival(Summary(results)).figure.axes[0]
    assert plot.get_title() == "threshold 0.01"
    assert any(text.get_text() == "cap" for text in plot.texts)


def test_error_curves_hold_the_last_error_and_count_diverged_runs_as_infinite():
    short = (np.array([0, 1, 5]), np.array([1.0, 0.5, 0.01]))
    burst = (np.array([0, 1, 3]), np.array([1.0, 9.0, np.nan]))
    errors = at_epochs([short, burst], np.array([False, True]), EPOCHS)
    assert errors.tolist() == [[1.0, 0.5, 0.01, 0.01], [1.0, 9.0, np.inf, np.inf]]
    assert quantile(errors, 0.5).tolist() == [1.0, 0.5, 0.01, 0.01]
    assert quantile(errors, 0.95).tolist() == [1.0, 9.0, np.inf, np.inf]


def test_error_curves_draw_the_lowest_threshold_with_a_panel_for_each_value():
    results = EDGES["usual"]
    picture = error_curves(Summary(results), curves_of(results))
    assert "30 runs" in picture.caption
    assert "threshold 0.001" in picture.caption
    titles = [plot.get_title().splitlines()[0] for plot in picture.figure.axes]
    assert titles == ["learning_rate = 0.1", "learning_rate = 0.5", "learning_rate = 5"]
    dashed = [line.get_ydata()[0] for line in picture.figure.axes[0].lines if line.get_linestyle() == "--"]
    assert dashed == [1e-2, 1e-3]


def test_weights_show_few_of_very_many_and_leave_out_what_is_not_finite():
    results = EDGES["usual"]
    weights = weights_of(results, 500)
    weights.final[3, ::2] = np.inf
    picture = final_weights(Summary(results), weights)
    assert "24 of 500 parameters" in picture.caption
    assert len(picture.figure.axes[0].get_xticks()) == 24


def test_numbers_and_texts_are_written_for_people():
    assert [tick(value) for value in (1e-9, 1e-4, 0.5, 10, 1000, 20000, 3e6)] == [
        "1e-9",
        "0.0001",
        "0.5",
        "10",
        "1000",
        "20k",
        "3M",
    ]
    assert plain("$a$ \n b") == r"\$a\$ b"
    assert plain("日本") == "��"
    assert plain("x" * 30) == "x" * 25 + "…"
    assert spread(range(100), 3) == [0, 50, 99]
    assert Sample(pd.DataFrame({"a": ["b", 10, 2, None]})).values("a")[:2] == [2, 10]
    assert Summary(EDGES["usual"]).thresholds == [1e-2, 1e-3]


def test_the_table_of_a_heat_map_has_a_row_for_each_cell_and_threshold_that_has_runs():
    results = EDGES["usual"].iloc[:-5]
    cells = Summary(results).heat_map("initial.range", "learning_rate")
    assert list(cells.columns[:3]) == ["learning_rate", "initial.range", "threshold"]
    assert len(cells) == 12
    for cell in cells.to_dict("records"):
        runs = results[(results[["learning_rate", "initial.range", "threshold"]] == list(cell.values())[:3]).all(axis=1)]
        assert cell["runs"] == len(runs)
        assert cell["rate"] == (runs["status"] == "converged").mean()
        ordered = np.sort(np.where(runs["status"] == "converged", runs["epochs"], np.inf))
        middle = ordered[[(len(runs) - 1) // 2, len(runs) // 2]]
        assert cell["median"] == pytest.approx(np.sqrt(middle.prod()))


def test_the_table_of_costs_has_a_row_for_each_value_and_threshold_with_its_intervals():
    costs = Summary(EDGES["usual"]).costs("learning_rate")
    assert len(costs) == 6
    for row in costs.to_dict("records"):
        runs = EDGES["usual"][
            EDGES["usual"][["learning_rate", "threshold"]].eq([row["learning_rate"], row["threshold"]]).all(axis=1)
        ]
        alone = Summary(runs.assign(horizon=1000)).by().loc[0]
        for name in ("rate", "ert", "q1", "median", "q3", "rate_low", "rate_high", "ert_low", "ert_high"):
            assert row[name] == pytest.approx(alone[name], rel=1e-12)


def test_the_table_of_survival_is_that_of_the_runs_with_one_value_and_threshold():
    curves = Summary(EDGES["usual"]).survival("learning_rate", "threshold")
    for (rate, goal), curve in curves.groupby(["learning_rate", "threshold"]):
        runs = EDGES["usual"][EDGES["usual"]["learning_rate"].eq(rate) & EDGES["usual"]["threshold"].eq(goal)].assign(
            horizon=1000
        )
        alone = Summary(runs).survival()
        assert (
            curve[["epochs", "at_risk", "converged"]].to_numpy().tolist()
            == alone[["epochs", "at_risk", "converged"]].to_numpy().tolist()
        )
        assert np.allclose(curve["survival"], alone["survival"], rtol=0, atol=1e-12)


def test_the_table_of_error_bands_has_the_quantiles_of_the_runs_with_the_lowest_threshold():
    results = EDGES["usual"]
    bands = error_bands(Sample(results), curves_of(results), "learning_rate")
    assert list(bands["learning_rate"].unique()) == [0.1, 0.5, 5.0]
    assert (bands["runs"] == 10).all()
    for rate, band in bands.groupby("learning_rate"):
        runs = results[results["learning_rate"].eq(rate) & results["threshold"].eq(1e-3)]
        assert band["epochs"].iloc[-1] == max(2, runs["epochs"].max())
        assert band["median"].iloc[-1] == np.sort(runs["final_error"])[4]
        assert band[["q5", "q25", "median", "q75", "q95"]].apply(lambda row: row.is_monotonic_increasing, axis=1).all()


def test_the_table_of_weights_has_the_quantiles_of_each_parameter_at_the_start_and_at_the_end():
    results = EDGES["usual"]
    weights = weights_of(results)
    table = weight_quantiles(chosen_weights(Sample(results), weights), weights.names).set_index(["group", "parameter"])
    lowest = (results["threshold"] == 1e-3).to_numpy()
    converged = lowest & (results["status"] == "converged").to_numpy()
    assert table.loc[("initial", "w3"), "median"] == np.median(weights.initial[2, lowest])
    assert table.loc[("final, converged", "w10"), "q25"] == np.quantile(weights.final[9, converged], 0.25)
    assert table.loc[("final, not converged", "w1"), "runs"] == lowest.sum() - converged.sum()


def test_each_table_is_computed_once_and_changing_it_changes_no_other(monkeypatch):
    from pipeline.stats import summary as module

    made = []
    summarize = module.summarize
    monkeypatch.setattr(module, "summarize", lambda sample, by: made.append(by) or summarize(sample, by))
    summary = Summary(EDGES["usual"])
    dict(figures.pictures(summary, None, None))
    report(summary)
    report(summary)
    note(summary)
    assert len(made) == len(set(made)) <= 7
    before = summary.by("learning_rate")
    before["rate"] = 0.0
    curves = summary.survival()
    curves["survival"] = 0.0
    assert summary.by("learning_rate")["rate"].any()
    assert summary.survival()["survival"].any()


@pytest.mark.slow
def test_a_million_runs_are_drawn_within_20_seconds(tmp_path: Path):
    results = sweep(
        learning_rate=np.geomspace(0.01, 10, 10).tolist(),
        momentum=[0.0, 0.5],
        seed=range(10_000),
        threshold=[1e-1, 1e-2, 1e-3, 1e-4, 1e-5],
    )
    assert len(results) == 1_000_000
    one = (np.arange(100), np.geomspace(0.3, 1e-3, 100))
    with at_most(20):
        captions = figures.write_figures(Summary(results), tmp_path / "figures", Listed([one] * len(results)))
    assert "evenly chosen runs" in next(caption for path, caption in captions.items() if path.stem == "error_curves")
