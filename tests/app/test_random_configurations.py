"""Ten thousand configurations that nobody would write: each is read, or refused in one line, quickly, in little memory."""

import random
import resource
import signal
import warnings

import pytest

from pipeline.app.composition import compose, compose_multirun
from pipeline.app.refusals import MOST_CHARACTERS, is_refusal, one_line
from pipeline.sweeps.request import read_sweep
from pipeline.trials.batching import make_batch
from pipeline.trials.settings import read_run
from tests.amounts import amount

KEYS = (
    "task", "task.bits", "task.size", "task.coding", "task.scaling", "task.name", "network", "network.hidden",
    "network.activation", "network.output_activation", "network.bias", "network.train_bias", "initial", "initial.range",
    "initial.kind", "initial.path", "initial.values", "learning_rate", "momentum", "update", "criterion", "threshold",
    "max_epochs", "gradient_tolerance", "seed", "curve_points", "engine", "objective", "resume", "limits.memory", "limits.disk",
    "initial.set", "initial.set.w5", "initial.set.weights_1.0.1", "initial.offset.b1", "initial.scale", "initial.direction",
    "initial.direction.seed", "initial.direction.distance", "initial.direction.to", "initial.start", "initial.layers",
    "tracking", "tracking.runs", "tracking.curves", "executor", "executor.chunk", "study", "limits", "sed", "a.b", "", "@", "~",
)  # fmt: skip
VALUES = (
    "0", "1", "2", "-1", "0.5", "1e-3", "1e308", "1e309", "1e400", "-0", "nan", "inf", "-inf", "true", "null", "???", "", "''",
    "xor", "parity", "encoder", "symmetry", "iris", "seed_example", "uniform", "explicit", "file", "published", "trained",
    "perturbed", "layers", "sphere", "he", "zero", "{w5:1}", "[{kind:he}]",
    "sigmoid", "tanh", "relu", "identity", "shared", "per_unit", "none", "batch", "online", "numpy", "compiled", "dask",
    "local",
    "bipolar", "binary", "minmax", "standard", "total_error", "worst_output", "convergence", "final_error", "epochs", "all",
    "[]", "[2]", "[2,2]", "[0]", "[-1]", "[20000,20000]", "[100000]", "[1.5]", "[a]", "[[1]]", "[null]", "[1,0]", "[0,1]",
    "[-1e308,1e308]", "{}", "{a:1}", "{weights_1:[[1,2],[3,4]],weights_2:[[1,2],[3,4]],bias_1:[1],bias_2:[1]}",
    "{weights_1:[a]}",
    "{name:xor}", "${seed}", "${nope}", "${learning_rate}", "${oc.env:NOPE}", "${oc.env:HOME}", "${logspace:1,10,3}", "${",
    "18446744073709551615", "18446744073709551616", "1000000000000", "1_000", "0x10", "−1", "“a”", "a b", "a=b", "a,b", "1,2",
    "1,",
    ",", "[", "]", "(", "'", '"', "\\", "/dev/zero", "/dev/null", "/proc/self/mem", "/nowhere", ".", "~/x", "\x00", "\x1b[31m",
    "range(3)", "range(0,1,0.1)", "range(1,0)", "range(0,1,0)", "range(0,1000000000)", "range(0,inf)", "choice()",
    "choice(1,2)",
    "sort(range(0,10,3),reverse=true)", "sort(1,a)", "shuffle(range(3))", "interval(0,1)", "glob(*)", "glob(x*)", "int(a)",
    "int(1e400)", "str(range(3))", "tag(a,choice(1))", "unknown(1)", "[" * 60, "[" * 3000, "x" * 5000, "1," * 5000 + "1", "🙂",
)  # fmt: skip


def generated(numbers: random.Random) -> list[str]:
    """Overrides, mostly of a key with a value, some with prefixes or with a character too many."""
    overrides = []
    for _ in range(numbers.randint(0, 4)):
        text = f"{numbers.choice(KEYS)}={numbers.choice(VALUES)}"
        if numbers.random() < 0.1:
            text = numbers.choice(("+", "++", "~", "-", "--", " ")) + text
        if numbers.random() < 0.05:
            place = numbers.randint(0, min(len(text), 40))
            text = text[:place] + numbers.choice("=,:.[](){}'\"\\$~@ −\t\n") + text[place:]
        overrides.append(text)
    return [*overrides, *numbers.choice(((), ("initial=uniform",), ("initial=uniform", "task=xor", "network=trained")))]


def too_long(*_):
    raise TimeoutError("a configuration took more than 5 s")


def told(read, overrides) -> str | None:
    """The refusal in one line, None where it can be trained; fails for anything else."""
    signal.alarm(5)
    try:
        read(overrides)
    except Exception as error:
        signal.alarm(0)
        if not is_refusal(error):
            raise
        line = one_line(error)
        assert 0 < len(line) <= MOST_CHARACTERS
        assert "\n" not in line
        return line
    finally:
        signal.alarm(0)
    return None


def as_run(overrides):
    trial, settings = read_run(compose(overrides))
    make_batch([trial], settings.curve_points)


def as_sweep(overrides):
    read_sweep(compose_multirun([text for text in overrides if not text.startswith("hydra")]))


@pytest.fixture
def watched(monkeypatch, folder):
    before, memory = signal.signal(signal.SIGALRM, too_long), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    signal.signal(signal.SIGALRM, before)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 2**20  # KiB
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("runs", "sweeps"), [(60, 4), pytest.param(amount(9700), amount(300), marks=pytest.mark.slow)], ids=["some", "thousands"]
)
def test_a_random_configuration_is_read_or_refused_in_one_line(runs, sweeps, watched):
    numbers, accepted = random.Random(13), 0
    for number in range(runs + sweeps):
        overrides, read = generated(numbers), as_sweep if number >= runs else as_run
        try:
            accepted += told(read, overrides) is None
        except Exception as error:
            raise AssertionError(f"{number}: {overrides}") from error
    assert 0.02 * (runs + sweeps) < accepted < 0.5 * (runs + sweeps)


@pytest.mark.slow
@pytest.mark.usefixtures("without_figures")
def test_random_command_lines_end_with_code_2_and_one_line(store, folder, command):
    numbers = random.Random(31)
    for _ in range(amount(150)):
        words = [word.replace("\x00", "") for word in generated(numbers)]
        ended = command("train", *(["-m"] * (numbers.random() < 0.5)), *words, "max_epochs=1")
        assert ended.code in (0, 2), (words, ended.err)
        assert "Traceback" not in ended.err
        if ended.code:
            assert len(ended.err.splitlines()[-1]) <= MOST_CHARACTERS, words
            assert ended.out.count("recorded as run") == 0
