"""What is said of two sweeps is what their comparison shows: no change that no test shows, no ratio that is none."""

import re

import pytest

from pipeline.report.answer import comparison_in_words
from pipeline.report.numbers import percent
from pipeline.stats.comparisons.two_sweeps import compare_axes
from tests.designs import sweep
from tests.known_sweeps import known_sweep

RATES = [0.5, 2.0]


def slower(results):
    """The same runs with twice the epochs."""
    return results.assign(epochs=results["epochs"] * 2)


def test_with_few_starts_it_says_that_no_change_can_be_shown():
    before = sweep(learning_rate=RATES, seed=range(4)).assign(horizon=9999)
    said = comparison_in_words(before, slower(before))
    assert "in 2 times the epochs (median of pairs)" in said
    assert said.endswith("With 4 starts no change can be shown: the smallest possible p is 0.125; take 6 or more.")


def test_without_two_starts_it_says_that_there_is_no_test():
    before = sweep(learning_rate=RATES).assign(horizon=9999)
    assert comparison_in_words(before, slower(before)).endswith(
        "Without two starts there is no test, so what of it is chance cannot be told."
    )


def test_sweeps_without_a_start_in_common_are_compared_as_a_whole():
    before, after = sweep(learning_rate=RATES, seed=range(12)), sweep(1, learning_rate=RATES, seed=range(100, 112))
    said = comparison_in_words(before, after)
    line = compare_axes(before, after).iloc[0]
    assert f"From different starts of the same settings {percent(line['rate_before'])} converged before" in said
    assert "times the epochs" not in said


def test_where_nothing_converges_any_more_no_ratio_is_named():
    before = sweep(learning_rate=RATES, seed=range(12)).assign(status="converged")
    after = before.assign(status="diverged", epochs=3)
    for one, other in ((before, after), (after, before)):
        said = comparison_in_words(one, other)
        assert "times the epochs" not in said
        assert "Beyond chance: " in said


@pytest.mark.parametrize("number", [0, 1, 4, 8, 9, 10, 17])
def test_named_changes_are_those_of_the_table(number):
    before = known_sweep(number).results
    after = before.copy()
    after.loc[after.index % 3 > 0, ["status", "epochs"]] = ["converged", 1]
    compared = compare_axes(before, after)
    said = comparison_in_words(before, after)
    assert not re.search(r"in (0|1|not reached|null) times|nan|inf\b", said)
    assert ("Beyond chance" in said) == (compared["change"] != "").any()
    assert f"{percent(compared['rate_before'].iloc[0])} converged before" in said
