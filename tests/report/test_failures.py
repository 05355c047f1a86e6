"""What is seen of causes: the map's colours, the words beside tables, how curves are foreseen to go on, K* at starts."""

import numpy as np
import pandas as pd
import pytest

from pipeline.backprop.causes.rules import FAR, Cause
from pipeline.backprop.network import Network, forward
from pipeline.report.answer.failures.causes import round_up
from pipeline.report.causes import ADVICE
from pipeline.report.figures.main_causes import PALETTE, main_causes
from pipeline.report.named_tables import table_of
from pipeline.report.page.curves import tail
from pipeline.report.page.explorer import explorer
from pipeline.report.starts.first_steps import first_steps_of
from pipeline.report.tables import write_tables
from pipeline.report.text_tables import Page
from pipeline.stats.sample import WORDS
from pipeline.stats.summary import Summary
from tests.designs import curves_of, sweep
from tests.known_sweeps import with_causes

AXES = {"learning_rate": [0.5, 1.0, 2.0], "initial.range": [0.5, 2.0], "seed": range(8), "threshold": [1e-2, 1e-3]}


@pytest.fixture(scope="module")
def summary():
    results = sweep(**AXES)
    results["status"] = np.where(results.index % 3 == 0, "converged", "exhausted")
    easy = (results["learning_rate"] == 2.0) & (results["initial.range"] == 0.5)  # all converge there
    return Summary(with_causes(results.assign(status=np.where(easy, "converged", results["status"])), 3))


def test_a_cell_of_the_map_has_the_colour_and_the_share_of_its_most_frequent_cause(summary):
    picture, results = main_causes(summary), summary.results
    for plot, threshold in zip(picture.figure.axes, (1e-2, 1e-3), strict=True):
        colours, texts = plot.collections[-1], {text.get_position(): text.get_text() for text in plot.texts}
        cells = np.ma.filled(colours.get_array(), np.nan).reshape(3, 2)
        for y, rate in enumerate(AXES["learning_rate"]):
            for x, width in enumerate(AXES["initial.range"]):
                runs = results[(results["learning_rate"] == rate) & (results["initial.range"] == width)]
                runs = runs[runs["threshold"] == threshold]
                found = runs["cause"].value_counts()
                if not len(found):
                    assert np.isnan(cells[y, x])
                    assert texts[x + 0.5, y + 0.5] == "100%"
                    continue
                word = WORDS[int(cells[y, x])]
                assert found[word] == found.max()
                assert texts[x + 0.5, y + 0.5].endswith(f"\n{found.max() / len(runs):.0%}")
                assert texts[x + 0.5, y + 0.5][:4] == word[:4]
    assert len(set(PALETTE)) == len(PALETTE) == len(WORDS)


def test_there_is_no_map_where_nothing_failed_or_no_cause_is_known(summary):
    results = summary.results
    assert main_causes(Summary(results.assign(status="converged"))) is None
    assert main_causes(Summary(results.drop(columns="cause"))) is None
    assert main_causes(summary, axes=["learning_rate"]) is None


@pytest.mark.parametrize("width", [60, 80, None])
def test_each_word_of_the_table_has_its_meaning_and_what_helps_beside_it(width, summary):
    table = table_of(summary, "causes")
    text = " ".join(Page(width).table(table).split())
    assert len(table) >= 5
    for word in table["cause"]:
        cause = next(one for one in Cause if one.word == word)
        assert cause.meaning in text
        assert ADVICE[cause] in text or cause is Cause.SATURATED
    if width:
        assert max(map(len, Page(width).table(table).splitlines())) <= width
    assert list(table_of(summary, "causes", ["learning_rate"])["learning_rate"].unique()) == AXES["learning_rate"]


def test_tables_of_causes_are_kept_as_files(summary, tmp_path):
    write_tables(summary, tmp_path)
    by_setting = pd.read_parquet(tmp_path / "summary" / "causes_by_setting.parquet")
    total = pd.read_csv(tmp_path / "summary" / "causes.csv").set_index("cause")["runs"]
    assert (by_setting[total.index].sum() == total).all()


@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.7, 1.0, 1.4, 2.1, 7.0, np.nan])
def test_a_foreseen_curve_goes_from_the_end_to_the_goal_and_falls_as_said(rho):
    line = tail(5000.0, 1000.0, 0.2, 0.01, rho)
    x, y = np.array(line["x"]), np.array(line["y"])
    assert (x[0], y[0], x[-1], y[-1]) == (1000, 0.2, 5000, 0.01)
    assert (np.diff(y) < 0).all()
    power = rho if 0 <= rho <= 2 else 2.0  # dE/dt = −c E^ρ, integrated by Euler's method in steps of an epoch
    excess = power - 1.0 + 1e-9
    pace = (0.01**-excess - 0.2**-excess) / excess / 4000
    error, at = 0.2, {1000: 0.2}
    for epoch in range(1001, 5001):
        error -= pace * error**power
        at[epoch] = error
    assert y == pytest.approx([at[epoch] for epoch in x.astype(int)], rel=0.02)


def test_a_report_tells_why_each_run_ended_and_how_those_that_fall_go_on(summary):
    results = summary.results
    data = explorer(summary, curves_of(results), True)["data"]
    lowest = results[results["threshold"] == 1e-3].reset_index(drop=True)
    near = lowest["cause"].eq("descending") & (lowest["final_error"] <= FAR * lowest["cause_goal"])
    near &= np.isfinite(lowest["cause_number"])
    assert ["tail" in run for run in data["curves"]] == near.tolist()
    assert near.any()
    for run, (_, row) in zip(data["curves"], lowest.iterrows(), strict=True):
        assert (f"\n{row['cause']}: " in run["end"]) == (row["status"] != "converged")
        if "tail" in run:
            assert run["tail"]["x"][-1] == pytest.approx(row["epochs"] + row["cause_number"], abs=1)
            assert run["tail"]["y"][-1] == pytest.approx(row["cause_goal"], rel=1e-2)
    total = data["groupings"]["2"]
    for threshold, why in zip((1e-3, 1e-2), total["why"], strict=True):
        found = results[results["threshold"] == threshold]["cause"].value_counts()
        assert {part.split()[1]: int(part.split()[0]) for part in why.split(", ")} == found.to_dict()


def test_round_numbers_are_not_below():
    numbers = [1, 1.2, 2, 53_211, 60_000, 60_001, 99_999_999]
    assert list(map(round_up, numbers)) == [1, 2, 2, 60_000, 60_000, 80_000, 100_000_000]


class Starts:
    """Runs of one network, with their initial weights."""

    def __init__(self, network, weights, inputs):
        self.rows, self.networks, self.inputs, self.weights = [self], 1, inputs, weights
        self.network = network

    def parameters(self, which, indices):
        assert which == "initial"
        return self.weights[:, indices]


@pytest.mark.parametrize("layers", [1, 2])
def test_k_star_at_a_start_is_that_of_a_numerical_jacobian(layers):
    random = np.random.default_rng(4)
    network, inputs = Network((2, 3, 1), bias="per_unit", train_bias=True), random.normal(size=(4, 2))
    starts = random.normal(size=(network.size, 2))
    weights, rates = starts[:, [0, 1, 0, 1]], random.uniform(0.5, 50, (layers, 4))
    momentum = np.array([0.0, 0.5, 0.9, 0.0])
    steps = first_steps_of(Starts(network, weights, inputs), lambda rows: (rates[:, rows], momentum[rows]))
    linear = Network((2, 3, 1), output_activation="identity", bias="per_unit", train_bias=True)
    for run in range(4):
        moved = weights[:, [run]] + np.hstack([1e-6 * np.eye(network.size), -1e-6 * np.eye(network.size)])
        nets = forward(linear, moved, inputs)[-1][:, 0]
        jacobian = (nets[:, : network.size] - nets[:, network.size :]) / 2e-6
        by_weight = network.rates(np.broadcast_to(rates[:, [run]], (2, 1)))[:, 0]
        largest = np.linalg.eigvalsh((jacobian * by_weight) @ jacobian.T)[-1]
        assert steps.k_star(np.array([run]))[0] == pytest.approx(largest / 16 / (2 * (1 + momentum[run])), rel=1e-6)
