"""How long does one epoch of one run take, here and elsewhere? `python -m benchmarks.training [case …]`."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from benchmarks import peers
from benchmarks.cases import Case, cases
from benchmarks.floor import activations_alone, arithmetic_alone
from benchmarks.timing import alternate, lowest_and_median, save, show
from pipeline.backprop.batch import Batch
from pipeline.backprop.engines import engine

PEERS = ("plain numpy", "jax", "pytorch")
LIMIT = ("floor", "arithmetic")
PLAIN_EPOCHS = 200  # plain NumPy trains a single run


def contenders(case: Case, momentum: bool) -> dict[str, tuple[Callable[[], object], int]]:
    """Everyone who trains this case, with the number of run-epochs that one call trains."""
    batch = case.batch(momentum)
    work = case.runs * case.epochs
    few = case.batch(momentum, runs=min(case.runs, 1024), epochs=max(2, case.epochs // 50))
    alone = case.batch(momentum, runs=1, epochs=min(PLAIN_EPOCHS, case.epochs))
    short = case.batch(momentum, epochs=max(3, case.epochs // 5))
    runners: dict[str, tuple[Callable[[], object], int]] = {
        "floor": (activations_alone(batch), work),
        "arithmetic": (arithmetic_alone(batch), work),
        "engine compiled": (lambda: engine("compiled")(batch), work),
        "engine numpy": (lambda: engine("numpy")(few), run_epochs(few)),
        "plain numpy": (peers.plain_numpy(alone), run_epochs(alone)),
    }
    if importlib.util.find_spec("jax"):
        runners["jax"] = (peers.jax_training(short), run_epochs(short))
    if without_torch() is None:
        runners["pytorch"] = (peers.torch_batched(few), run_epochs(few))
    return runners


@cache
def without_torch() -> str | None:
    """Why PyTorch is not among the peers, or None if it is."""
    try:
        import torch  # noqa: F401
    except (ImportError, OSError) as error:
        return " ".join(str(error).split())
    return None


def run_epochs(batch: Batch) -> int:
    """Run-epochs of a training to max_epochs."""
    return batch.trainings * batch.max_epochs


def measure(case: Case, momentum: bool) -> list[dict[str, Any]]:
    """One row for each contender: ns per run and epoch, and how many times as long as the compiled engine (lowest)."""
    runners = contenders(case, momentum)
    seconds = alternate({name: run for name, (run, _) in runners.items()})
    rows: list[dict[str, Any]] = []
    for name, (_, work) in runners.items():
        lowest, middle = lowest_and_median(seconds[name], 1e9 / work)
        rows.append({"case": case.name, "momentum": momentum, "who": name, "lowest ns": lowest, "median ns": middle})
    return compared(rows)


def compared(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows and one of the limit, activations + arithmetic; with times ours, ours ÷ limit, and the fastest peer marked."""
    lowest = {row["who"]: row["lowest ns"] for row in rows}
    limit = {name: sum(row[name] for row in rows if row["who"] in LIMIT) for name in ("lowest ns", "median ns")}
    rows = [*rows, {**rows[0], "who": "limit", **limit}]
    fastest = min((name for name in PEERS if name in lowest), key=lowest.__getitem__)
    for row in rows:
        row["times ours"] = row["lowest ns"] / lowest["engine compiled"]
        row["ours ÷ limit"] = lowest["engine compiled"] / limit["lowest ns"] if row["who"] == "engine compiled" else ""
        row["fastest peer"] = "*" if row["who"] == fastest else ""
    return rows


def figure(rows: list[dict[str, Any]]) -> None:
    """Times of all contenders for each case, on a logarithmic axis."""
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(row["case"] for row in rows))
    drawing, axes = plt.subplots(1, 2, figsize=(11, 4.5), sharey=True)
    markers = ("_", "_", "o", "s", "D", "^", "v", "P", "x")
    for axis, momentum in zip(axes, (False, True), strict=True):
        for place, who in enumerate(dict.fromkeys(row["who"] for row in rows)):
            points = [row for row in rows if row["who"] == who and row["momentum"] == momentum]
            axis.plot(
                [names.index(row["case"]) for row in points],
                [row["lowest ns"] for row in points],
                markers[place % len(markers)],
                color=f"C{place}",
                label={"floor": "activations alone", "arithmetic": "arithmetic alone", "limit": "limit: both"}.get(who, who),
            )
        axis.set_yscale("log")
        axis.set_xticks(range(len(names)), names)
        axis.set_title("momentum, trained biases" if momentum else "no momentum, fixed biases")
        axis.grid(axis="y", alpha=0.3)
    axes[0].set_ylabel("ns per run and epoch (lowest of five)")
    axes[1].legend(fontsize=8)
    save(drawing, "training")


def main(chosen: list[str]) -> None:
    """All cases, or those named."""
    rows = []
    print(f"without PyTorch: {without_torch()}" if without_torch() else "with PyTorch")
    for case in cases():
        if not chosen or case.name in chosen:
            for momentum in (False, True):
                rows += (new := measure(case, momentum))
                show("training", rows, len(new))
    figure(rows)


if __name__ == "__main__":
    main(sys.argv[1:])
