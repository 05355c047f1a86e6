"""`python -m pipeline.ui` says where to look: its links open the latest sweep, in MLflow's view of model training."""

import re
import socket

import pytest
from mlflow import MlflowClient

from pipeline.store.pages.links import run_page, runs_page
from pipeline.store.pages.views import KIND_TAG, write_views
from pipeline.store.read import find_sweep
from pipeline.ui import where_to_look
from tests.browsers import MARKS, chromium
from tests.servers import pages_of_mlflow

SWEEP = ("-m", "task=xor", "network=trained", "initial=uniform", "learning_rate=2,8", "seed=0,1,2", "max_epochs=500")


def test_a_port_that_is_taken_is_said_with_what_to_do(store, command):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = command("ui", f"ui.port={port}")
    assert (ended.code, ended.out) == (2, "")
    told = rf"ui\.port={port}: is taken: look at http://127\.0\.0\.1:{port}, .*, or take another port: ui\.port=\d+\n"
    assert re.fullmatch(told, ended.err)


@pytest.mark.parametrize("port", ["-1", "65536", "x"])
def test_a_port_must_be_one(port, store, command):
    ended = command("ui", f"ui.port={port}")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert ended.err.startswith(f"ui.port={port}: must be a whole number, 0 to 65535")


def test_without_a_sweep_it_says_how_to_make_one(store):
    assert list(where_to_look(None, "http://here")) == ["there is no finished sweep yet; make sweep makes one"]


def test_a_store_that_cannot_be_written_to_has_links_without_views(store, monkeypatch):
    client = MlflowClient(tracking_uri=f"sqlite:///{store}")
    experiment = client.create_experiment("backpropagation")
    sweep = client.create_run(experiment, tags={"kind": "sweep"}, run_name="a \x1b[2J name").info.run_id
    client.set_terminated(sweep)
    assert len(list(where_to_look(None, "http://here"))) == 5
    monkeypatch.setattr("pipeline.store.pages.views.write_views", lambda *_: None)
    assert list(where_to_look(None, "http://here")) == [
        "the latest sweep, a \\x1b[2J name:",
        f"  its page     http://here{run_page(experiment, sweep)}",
        f"  its report   http://here{run_page(experiment, sweep, 'report.html')}",
        f"  all runs     http://here{runs_page(experiment)}",
    ]


def test_an_older_experiment_is_marked_as_one_of_model_training_and_keeps_what_it_is(store):
    client = MlflowClient(tracking_uri=f"sqlite:///{store}")
    experiment = client.create_experiment("backpropagation")
    sweep = client.create_run(experiment, tags={"kind": "sweep"}).info.run_id
    client.set_terminated(sweep)
    assert write_views(*find_sweep(None, "latest")) == ("sweeps", sweep[:8])
    assert client.get_experiment(experiment).tags[KIND_TAG] == "custom_model_development"
    client.set_experiment_tag(experiment, KIND_TAG, "custom")
    write_views(*find_sweep(None, "latest"))
    assert client.get_experiment(experiment).tags[KIND_TAG] == "custom"


COLUMNS = ["status", "epochs", "final_error", "learning_rate", "seed"]
OF_SWEEPS = ["runs", "converged", "rate", "ert", "median_epochs"]


@pytest.mark.parametrize("mark", [pytest.param("", marks=MARKS)])
def test_the_links_open_the_latest_sweep(mark, command, store):
    assert command("train", *SWEEP).code == 0
    with pages_of_mlflow() as (_, printed), chromium() as browser:
        links = dict(re.findall(r"^  (\w+ \w+) +(http\S+)$", printed, re.M))
        assert "the latest sweep, learning_rate × seed, 6 trials:" in printed
        assert "Ctrl-C ends it" in printed.splitlines()[0]

        def opened(name: str):
            page = browser.new_context(viewport={"width": 1900, "height": 900}).new_page()  # which remembers nothing
            page.set_default_timeout(60_000)
            page.goto(links[name])
            page.get_by_text("Model registry").first.wait_for()  # in the menu of model training
            assert page.get_by_text("Prompts", exact=True).count() == 0, name  # in that of generative AI
            return page

        def heads(page, names: list[str]) -> list[str]:
            """Those of these names that head a column, from left to right."""
            cells = [page.locator(".ag-header-cell").get_by_text(name, exact=True).first for name in names]
            return sorted(names, key=lambda name: cells[names.index(name)].bounding_box()["x"])

        page = opened("its page")
        page.get_by_role("heading", name="learning_rate × seed, 6 trials").wait_for()
        page.get_by_text("of 6 runs converged").first.wait_for()

        opened("its report").frame_locator("iframe").get_by_role("heading", name="Answer").wait_for()

        page = opened("its runs")
        page.get_by_text("6 matching runs").wait_for()
        assert heads(page, COLUMNS) == COLUMNS
        assert page.locator(".ag-row").get_by_text(re.compile("^(converged|exhausted)$")).count() == 6

        page = opened("all sweeps")
        page.get_by_text("1 matching run").wait_for()
        assert heads(page, OF_SWEEPS) == OF_SWEEPS
