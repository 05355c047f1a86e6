"""One iteration, step by step: the published numbers, true equations, and the very numbers that training uses."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from functools import reduce
from math import exp, tanh
from operator import add

import numpy as np
import pytest
from hypothesis import assume, given

from pipeline.backprop.batch import Batch
from pipeline.backprop.network import Network, forward, total_error
from pipeline.backprop.trainer import train
from pipeline.walkthrough.numbers import few, place, position, unit_name
from pipeline.walkthrough.text import lesson, markdown, number
from tests.strategies import examples, same_bits
from tests.walkthrough.walks import is_finite, trial_of, walks

# M. Mazur's worked example (2015): the steps in their order, digits as published
PUBLISHED = [
    *("0.3775", "0.593269992", "0.596884378", "1.105905967", "0.75136507", "0.772928465"),
    *("0.274811083", "0.023560026", "0.298371109"),
    *("0.74136507", "0.186815602", "0.593269992", "0.082167041"),
    *("0.35891648", "0.408666186", "0.511301270", "0.561370121"),
    *("0.149780716", "0.19956143", "0.24975114", "0.29950229"),
]
LINES = """
net h1 = w1 × i1 + w2 × i2 + b1 = 0.15 × 0.05 + 0.2 × 0.1 + 0.35 = 0.3775
out h1 = 1 / (1 + exp(-net h1)) = 1 / (1 + exp(-0.3775)) = 0.593269992
net o1 = w5 × out h1 + w6 × out h2 + b2 = 0.4 × 0.593269992 + 0.45 × 0.596884378 + 0.6 = 1.105905967
E o1    = ½ × (target o1 - out o1)² = ½ × (0.01 - 0.75136507)² = 0.274811083
E total = E o1 + E o2 = 0.274811083 + 0.023560026 = 0.298371109
∂E/∂w5 = ∂E/∂out o1 × ∂out o1/∂net o1 × ∂net o1/∂w5
∂E/∂out o1      = -(target o1 - out o1) = -(0.01 - 0.75136507) = 0.74136507
∂out o1/∂net o1 = out o1 × (1 - out o1) = 0.75136507 × (1 - 0.75136507) = 0.186815602
∂net o1/∂w5     = out h1 = 0.593269992
∂E/∂w5 = 0.74136507 × 0.186815602 × 0.593269992 = 0.082167041
new w5 = w5 - η × ∂E/∂w5 = 0.4 - 0.5 × 0.082167041 = 0.35891648
With the new weights the total error is 0.291027774 (it was 0.298371109).
"""
LATEX = r"""
$$\mathrm{net}_{\mathrm{h1}} = w_{1} \times i_{1} + w_{2} \times i_{2} + b_{1} = 0.15 \times 0.05 + 0.2 \times 0.1 + 0.35 =
$$\mathrm{out}_{\mathrm{h1}} = \frac{1}{1 + \exp\left( - \mathrm{net}_{\mathrm{h1}} \right)} = \frac{1}{1 + \exp
$$E_{\mathrm{total}} = E_{\mathrm{o1}} + E_{\mathrm{o2}} = 0.274811083 + 0.023560026 = 0.298371109$$
$$\frac{\partial E}{\partial w_{5}} = 0.74136507 \times 0.186815602 \times 0.593269992 = 0.082167041$$
$$w_{5}^{\mathrm{new}} = w_{5} - \eta \times \frac{\partial E}{\partial w_{5}} = 0.4 - 0.5 \times 0.082167041 = 0.35891648$$
"""


def rounds_to(token: str, published: str) -> bool:
    digits = len(published.partition(".")[2])
    return abs(float(token) - float(published)) <= 0.5000001 * 10.0**-digits


def test_changed_weights_are_not_told_to_be_the_published_ones(command):
    for changes in ("initial.set.w5=0.3", "initial.scale=2"):
        assert "published" not in command("explain", changes).out.lower()


@pytest.mark.parametrize("style", ["text", "markdown"])
def test_the_worked_example_is_told_with_all_published_values_in_their_order(style, command):
    told = command("explain", f"explain.format={style}")
    assert (told.code, told.err) == (0, "")
    steps, check = told.out.split("The published numbers")
    numbers = iter(re.findall(r"\d+\.\d+", steps))
    for published in PUBLISHED:
        assert any(rounds_to(token, published) for token in numbers), published
    assert any(token == "0.291027774" for token in numbers)
    assert re.findall(r"[ |](0\.\d+|1\.105905967)[ |]+\d", check) == PUBLISHED  # and once more, literally
    for line in (LINES if style == "text" else LATEX).strip().splitlines():
        assert line in told.out


def test_a_hidden_weight_is_told_through_all_units_above_it(command):
    told = command("explain", "explain.weight=w1").out
    assert "∂E/∂out h1      = ∂E/∂net o1 × w5 + ∂E/∂net o2 × w7" in told
    assert "= 0.138498562 × 0.4 + (-0.038098237) × 0.5" in told
    assert "∂E/∂w1 = 0.036350306 × 0.241300709 × 0.05 = 0.000438568" in told
    assert "new w1 = w1 - η × ∂E/∂w1 = 0.15 - 0.5 × 0.000438568 = 0.149780716" in told


# Any network


def weights_of(network: Network) -> list[str]:
    return [f"w{w + 1}" for w in range(sum(a * b for a, b in zip(network.units, network.units[1:], strict=False)))]


@given(walks())
@examples(60)
def test_the_factors_multiply_to_the_gradient_that_training_uses(told):
    assume(is_finite(told))
    gradient = {name: told.pattern_gradient[position(told.network, name)] for name in weights_of(told.network)}
    for name, expected in gradient.items():
        (_, by_output), (_, slope), (_, source) = told.chain(name)
        assert same_bits(by_output * slope * source + 0.0, expected + 0.0)


@given(walks())
@examples(60)
def test_the_sums_shown_are_those_of_training(told):
    assume(is_finite(told))
    for layer in range(1, told.network.layers + 1):
        for index in range(told.network.units[layer]):
            unit = told.unit(layer, index)
            start = unit.bias[1] if unit.bias else 0.0
            assert reduce(add, (term.value * term.signal for term in unit.below), start) == unit.net
            assert unit.error_by_output * unit.slope == unit.delta
            if unit.above:
                assert reduce(add, (term.signal * term.value for term in unit.above), 0.0) == unit.error_by_output
    errors = [told.of_pattern(p + 1)[0] for p in range(told.patterns)]
    assert sum(errors) == pytest.approx(told.total_error, rel=1e-12)
    assert errors[told.pattern - 1] == told.pattern_error


@given(walks())
@examples(40)
def test_the_terms_of_the_patterns_add_up_to_the_gradient_of_the_update(told):
    assume(told.summed and is_finite(told))
    at = position(told.network, told.weight)
    terms = [told.of_pattern(p + 1)[1][at] for p in range(told.patterns)]
    assert same_bits(reduce(add, terms, 0.0) + 0.0, told.gradient[at] + 0.0)
    assert terms[told.pattern - 1] == told.pattern_gradient[at]


@given(walks(max_iterations=1))
@examples(100)
def test_the_gradient_shown_is_the_slope_of_the_error(told):
    assume("relu" not in told.network.activations and np.abs(told.old).max() <= 2.0)
    one, at = slice(told.pattern - 1, told.pattern), position(told.network, told.weight)

    def error(step):
        moved = told.old[:, None].copy()
        moved[at] += step
        outputs = forward(told.network, moved, told.batch.inputs[one])
        return total_error(outputs[-1], told.batch.targets[one])[0]

    step = 1e-5
    product = np.prod([value for _, value in told.chain(told.weight)])
    assert (error(step) - error(-step)) / (2.0 * step) == pytest.approx(product, rel=1e-6, abs=1e-7)


def trained(batch: Batch, epochs: int) -> tuple[np.ndarray, bool]:
    """The parameters after so many epochs, whatever the error; and whether training got there."""
    outcome = train(replace(batch, max_epochs=epochs, threshold=np.array([-1.0]), gradient_tolerance=0.0))
    return outcome.parameters[:, 0], outcome.epochs[0] == epochs


@given(walks())
@examples(80)
def test_the_update_is_the_one_that_training_makes(told):
    """Old and new weights, at any iteration, with any momentum, batch and online: the trainer's, bit for bit."""
    batch, iteration = told.batch, told.iteration
    if batch.update == "batch":
        old, _ = trained(batch, iteration - 1)
        new, reached = trained(batch, iteration)
    else:
        # an online epoch over a list of patterns is one update for each: so is one over the list again and again
        turns = np.arange((iteration - 1) * told.patterns + told.pattern) % told.patterns
        new, reached = trained(replace(batch, inputs=batch.inputs[turns], targets=batch.targets[turns]), 1)
        earlier = replace(batch, inputs=batch.inputs[turns[:-1]], targets=batch.targets[turns[:-1]])
        old = trained(earlier, 1)[0] if len(turns) > 1 else batch.initial_parameters[:, 0]
    assume(reached)
    assert same_bits(told.old, old)
    assert same_bits(told.new, new)


# The words


def value_of(side: str) -> float | None:
    """The value of one side of an equation; None if it has names, or terms left out."""
    code = side.replace("×", "*").replace("²", "**2").replace("½", "0.5")
    if re.search(r"[^\d\s.()+\-*/e]", re.sub(r"exp|tanh|max\(0,", "", code)):
        return None
    return float(eval(code, {"exp": lambda x: exp(min(x, 700.0)), "tanh": tanh, "max": max}))


@given(walks())
@examples(60)
def test_every_equation_on_the_board_is_true(told):
    """Each side that has numbers alone gives the number at the end, to the digits shown."""
    assume(max(np.abs(numbers).max() for numbers in (told.old, told.new, *told.outputs, *told.deltas)) < 100.0)
    checked = 0
    for block in lesson(told, trial_of(told.batch)):
        for _, *sides in block if isinstance(block, list) else []:
            values = [value for value in map(value_of, sides) if value is not None]
            assert values[1:] == pytest.approx(values[:-1], rel=1e-6, abs=1e-5), sides
            checked += len(values) > 1
    assert checked > told.network.layers


@given(walks())
@examples(30)
def test_tables_are_whole_and_code_is_closed_in_markdown(told):
    blocks = list(map(markdown, lesson(told, trial_of(told.batch))))
    assert blocks[0].startswith("# ")
    assert [block for block in blocks if block.startswith("## ")] == [
        "## 1. Forward pass",
        "## 2. Backward pass",
        "## 3. Weight update",
    ]
    for block in blocks:
        if block.startswith("|"):
            rows = block.splitlines()
            assert len({row.count("|") for row in rows}) == 1
            assert set(rows[1]) <= set("|-: ")
        else:
            assert block.count("```") == (2 if block.startswith("```") else 0)
            assert "|" not in block


@pytest.mark.parametrize("value", [0.0, -0.0, 0.5, -1.0, 1e3, 0.12345678901, 2.5e-7, -3.21e12, 1e-4, 9.99999999e-5])
def test_numbers_are_short_and_close(value):
    text = number(value)
    assert float(text) == pytest.approx(value, rel=1e-5)
    assert len(text) <= 15
    assert not text.startswith("-0") or value < 0.0


def test_few_keeps_the_ends_and_what_is_asked_for():
    assert few(6, 6) == [0, 1, 2, 3, 4, 5]
    assert few(7, 6) == [0, 1, 2, None, 6]
    assert few(9, 6, keep=4) == [0, 1, 2, None, 4, None, 8]
    assert few(9, 6, keep=3) == [0, 1, 2, 3, None, 8]


def test_parameters_are_numbered_layer_by_layer_unit_by_unit_input_by_input():
    network = Network((3, 2, 4, 1), bias="per_unit", train_bias=True)
    names = [*weights_of(network), *(f"b{b + 1}" for b in range(7))]
    assert [position(network, name) for name in names] == list(range(network.size))
    assert place(network, "w1") == (1, range(1), 0)
    assert place(network, "w6") == (1, range(1, 2), 2)
    assert place(network, "w7") == (2, range(1), 0)
    assert place(network, "w18") == (3, range(1), 3)
    assert place(network, "b3") == (2, range(1), None)
    assert place(replace(network, bias="shared"), "b2") == (2, range(4), None)
    assert [unit_name(network, layer, 0) for layer in range(4)] == ["i1", "h1_1", "h2_1", "o1"]


# The command


def test_large_networks_are_told_in_part_and_the_weight_asked_for_is_shown(command):
    told = command("explain", "task=digits", "network.hidden=[32]", "initial=uniform", "explain.weight=w1234").out
    assert len(told.splitlines()) < 300
    assert "(65 terms)" in told
    assert "Any weight, w1 to w2368, is shown by its name" in told
    assert len(re.findall(r"(?m)^    w1234 .* i18 → h20 ", told)) == 2
    assert re.search(r"net h20 = w1217 × i1 \+ w1218 × i2 \+ … \+ w1234 × i18 \+ … \+ w1280 × i64 \+ b1", told)


def test_an_online_update_is_told_at_the_pattern_s_turn(command):
    arguments = ("task=xor", "initial=uniform", "update=online", "explain.pattern=3")
    told = command("explain", *arguments)
    assert "Pattern 3 of 4 is followed. Each pattern updates the weights in its turn" in told.out
    assert "∂E total" not in told.out
    both = command("explain", *arguments, "update=batch").out
    assert "∂E total/∂w5 = sum of ∂E/∂w5 over 4 patterns\n" in both


def test_momentum_rates_by_layer_and_trained_biases_are_told(command):
    arguments = ("momentum=0.9", "learning_rate=[0.1,0.5]", "network.train_bias=true", "explain.iteration=2")
    told = command("explain", *arguments).out
    assert "learning rate η = 0.1, 0.5, momentum α = 0.9" in told
    assert "new v  = α × v - η × ∂E/∂w5 = 0.9 × (-0.041" in told
    assert re.search(r"(?m)^    b1 +→ h1, h2 +0\.\d+ \+ 0\.\d+ +0\.\d+$", told)
    assert re.search(r"(?m)^    weight +old +∂E/∂w +η +v +new v +new$", told)


def test_a_training_that_ends_before_the_iteration_is_said_to(command):
    told = command("explain", "threshold=1")
    assert (told.code, "would not make this iteration: it has converged after 0 epochs" in told.out) == (0, True)
    assert "iteration" not in command("explain").out.partition("Inputs")[0].partition("\n")[2]


REFUSED = {
    "explain.weight=w99": "explain.weight=w99: must be w1 to w8",
    "explain.weight=foo": "explain.weight=foo: must be w1 to w8",
    "explain.weight=w0": "explain.weight=w0: must be w1 to w8",
    "explain.weight=5": "explain.weight=5: must be w1 to w8",
    "explain.pattern=2": "explain.pattern=2: must be a whole number, 1 to 1",
    "explain.iteration=0": "explain.iteration=0: must be a whole number, 1 to 10000",
    "explain.iteration=2000": "explain.iteration=2000: must be 1 to 1088: training has converged after 1088 epochs",
    "explain.format=pdf": "explain.format=pdf: must be one of text, markdown, html",
    "explain.surface=a.gif": "explain.surface=a.gif: must end in .png or .svg or .webp",
    "explain.surface=3": "explain.surface=3: must be the name of a file, or null",
    "explain.output=missing/walk.md": "explain.output=missing/walk.md: cannot be written: No such file or directory",
    "explain.output=.": "explain.output=.: cannot be written: Is a directory",
    "explain.output=3": "explain.output=3: must be the name of a file, or null",
    "explain.figure=a.svg": "explain.figure=a.svg: belongs to the end of a run: use explain.at=end",
    "explain.at=middle": "explain.at=middle: must be one of start, end",
    "run=0123": "tracking.uri=sqlite:///{folder}/mlruns/mlflow.db: no such store; `make sweep` makes one",
    "explain.weigth=w1": "explain.weigth=w1: unknown key; did you mean weight?",
    "learning_rate=-1": "learning_rate=-1: must be greater than 0 and finite",
    "task=xor": "initial=published: belongs to task=seed_example, not to xor; use initial=uniform",
    "-m": "hydra.mode=MULTIRUN: must be RUN: leave out -m",
}


@pytest.mark.parametrize("argument", REFUSED)
def test_wrong_input_is_refused_in_one_line_and_nothing_is_written(argument, folder, command):
    ended = command("explain", argument)
    assert (ended.code, ended.out, ended.err) == (2, "", f"{REFUSED[argument].format(folder=folder)}\n")
    assert os.listdir(folder) == []


@pytest.mark.parametrize("style", ["text", "markdown"])
def test_a_failed_write_leaves_the_files_that_were_there(style, folder, command, disk_full):
    for name in ("walk.md", "walk-forward.svg", "walk-backward.svg", "walk-update.svg"):
        (folder / name).write_text("before")
    ended = command("explain", f"explain.format={style}", "explain.output=walk.md")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "explain.output=walk.md: cannot be written: No space left on device\n"
    assert [path.read_text() for path in folder.iterdir()] == ["before"] * 4


def test_nothing_is_written_but_the_file_asked_for(folder, command):
    told = command("explain", "explain.format=markdown")
    assert os.listdir(folder) == []
    ended = command("explain", "explain.format=markdown", "explain.output=walk.md")
    assert (ended.code, ended.out) == (0, "written to walk.md\n")
    pictures = ["walk-backward.svg", "walk-forward.svg", "walk-update.svg"]
    assert sorted(os.listdir(folder)) == [*pictures, "walk.md"]
    lines = (folder / "walk.md").read_text(encoding="utf-8").splitlines()
    shown = [line for line in lines if line.startswith("![")]
    assert [line.rpartition("(")[2].rstrip(")") for line in shown] == [
        f"walk-{step}.svg" for step in ("forward", "backward", "update")
    ]
    without = "\n".join(line for line in lines if line not in shown)
    assert [line for line in without.splitlines() if line] == [line for line in told.out.splitlines() if line]


def test_the_real_command(folder):
    arguments = [sys.executable, "-m", "pipeline.explain", "explain.weight=w9"]
    ended = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", "explain.weight=w9: must be w1 to w8\n")
    ended = subprocess.run(arguments[:-1], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr, os.listdir(folder)) == (0, "", [])
    assert "∂E/∂w5 = 0.74136507 × 0.186815602 × 0.593269992 = 0.082167041" in ended.stdout
