"""A column is found by its name as it is written on the command line, where Hydra reads some names as something else."""

import pytest

from pipeline.app.composition import compose
from pipeline.errors import ConfigError
from pipeline.trials.configuration import read_trial
from pipeline.trials.tasks import load
from tests.configurations import configuration, uniform
from tests.tables import table


@pytest.fixture
def file(tmp_path):
    def written(text):
        (tmp_path / "table.csv").write_text(text)
        return tmp_path / "table.csv"

    return written


def refusal(path, name) -> str:
    with pytest.raises(ConfigError) as error:
        table(path, name, header="first")
    return str(error.value)


NAMES = ("null", "TRUE", "1.50", "1", "1_000", "1e3", "NaN", "-0", "007", "01/02")


@pytest.mark.parametrize("name", NAMES)
def test_a_column_is_found_by_its_name_as_it_stands_on_the_command_line(name, file):
    """Hydra reads TRUE as true, 1.50 as 1.5, 1e3 as 1000 and null as nothing, with or without a list around it."""
    names = [other for other in NAMES if other not in ("1e3", "1_000") or other == name]
    path = file(",".join([*names, "y"]) + "\n" + ",".join(map(str, range(len(names) + 1))) + "\n")
    for written in (name, f"[{name}]", f"'{name}'"):
        task = compose(["task=csv", f"task.path={path}", f"task.targets={written}", "task.header=first"])["task"]
        loaded = load(read_trial(configuration(task=task, initial=uniform())).batch_key.task)
        assert [column.name for column in loaded.source.targets] == [name]
        task["inputs"] = task["targets"] if isinstance(task["targets"], list) else [task["targets"]]
        task["targets"] = "y"
        assert load(read_trial(configuration(task=task, initial=uniform())).batch_key.task).inputs.tolist() == [
            [names.index(name)]
        ]


def test_a_name_that_may_be_one_of_two_columns_is_refused(file):
    path = file("true,True,1,1.0,y\n1,2,3,4,5\n")
    for name, both in ((True, "true, True"), (1, "1, 1.0"), (1.0, "1, 1.0")):
        assert refusal(path, name).endswith(f"may be one of the columns {both}, which are read as one: rename one of them")
    for name in ("True", "1.0"):  # in quotes it can be no other
        assert table(path, name, header="first").source.targets[0].name == name
    assert "task.targets=null: no such column" in refusal(path, None)
