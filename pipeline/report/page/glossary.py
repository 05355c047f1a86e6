"""What the words and the columns of a report mean."""

from pipeline.backprop.status import Status
from pipeline.report.causes import ADVICE

QUESTION = (
    "From which initial weights, at which learning rates and down to which error threshold does backpropagation converge, "
    "and how fast?"
)
METHOD = (
    "Each run trains one network by backpropagation: forward pass, total error E = Σ ½ (target − output)² over patterns and "
    "outputs, backward pass by the chain rule, weight update; again and again, until the criterion is at most the threshold. "
    "An epoch is one pass over all patterns; a run converges at the first epoch with a criterion of at most the threshold.",
    "A run that did not converge is censored, not missing: a quartile counts it as later than any epoch, so the quartile may "
    "be «not reached», and the expected running time pays for its epochs, too.",
    "Runs that share their initial weights are not independent: every interval and every test counts starts (seeds, files, "
    "given weights), not runs. Where nothing is repeated from another start, there is no interval and no test.",
    "The arithmetic uses only operations that IEEE-754 defines to the last bit, in one order: the same trial gives the same "
    "bits on another machine.",
)
MEANINGS = {
    "runs": "how many runs there are",
    **{status.word: status.meaning for status in Status},
    "rate": "converged ÷ runs",
    "ert": "expected running time: all epochs spent ÷ runs converged",
    "ert_high_seen": "the upper end of the interval of the ert from the failures that were seen alone",
    "q1": "epochs by which a quarter of the runs has converged",
    "median": "epochs by which half of the runs have converged",
    "q3": "epochs by which three quarters of the runs have converged",
    "restricted_mean": "mean of the epochs to convergence or, without it, to the cap",
    "starts": "how many different initial weights the runs have",
    "effective_runs": "how many independent runs would say as much as these, of which some share their start",
    "share": "of the variance of log epochs (of runs that did not converge, those to the cap), by one axis or a pair of them",
    "share_best": "of the bootstrap samples of the starts, those in which this value has the lowest ert",
    "p_better": "how often, in the bootstrap samples, this setting costs at most what the observed best one does",
    "remains": "whether the setting is not ruled out as the best one",
    "edge": "the axes at whose end, of the values tried, the setting lies",
    **{cause.word: f"{cause.meaning}; what helps: {text}" for cause, text in ADVICE.items()},
    "of_failed": "share of the runs that did not converge, by the cause of that; training on contradicts about 4 % of causes",
    "foreseen": "descending runs whose end can be told: the error is at most 30 times what it has to be",
    "total_q1, total_median, total_q3": "quartiles of the epochs in all after which these would converge, as predicted",
    "too_long, converged_of_long": "runs whose steps are too long at the start (K* above 3); how many of them converged",
    "shorter, converged_of_shorter": "the other runs with that learning rate",
    "others, converged_of_others": "the runs with a smaller K*, at any learning rate",
    "explains": "whether fewer of the runs with too long steps converged than of the others (95 % intervals that do not meet), "
    "and half of the failures at that learning rate are theirs",
    "given_up": "share of the ert that is runs given up at their cap",
    "cutoff": "epochs after which a restart pays",
    "ert_restarted": "expected running time with restarts, on starts that did not choose the cutoff",
    "saves": "share of the ert that these restarts save",
    "earlier, later": "pairs in which the second value converged before the first, or after it",
    "ratio": "of epochs, second value over first (the median pair); of ert, the step over the best value",
    "ratio_q1, ratio_q3": "quartiles over the pairs",
    "ratio_low_seen, ratio_high_seen": "the interval of the ratio from the failures that were seen alone",
    "p_epochs_adjusted": "p of a Prentice–Wilcoxon test that respects censoring, signs flipped by start, for all pairs (max-T)",
    "p_rate_adjusted": "p of McNemar's test that one converges where the other does not, likewise",
    "p_ert_adjusted": "p of a test that both have the same ert, likewise; at least p_unseen",
    "p_unseen": "how probable it is that failures not seen make up for the difference in ert",
    "smallest_p": "the smallest p that so many starts can give; above 0.05 they can show nothing",
    "(low–high)": "a 95 % interval; it counts starts, not runs",
}


def meanings(columns: set[str]) -> list[tuple[str, str]]:
    """Words and meanings of these columns; what is not a column is always there."""
    return [(word, text) for word, text in MEANINGS.items() if word.startswith("(") or columns & set(word.split(", "))]
