"""In a real browser: MLflow's pages of a sweep."""

import re

import pytest
from mlflow import MlflowClient

from pipeline.store import bulk
from tests.browsers import MARKS
from tests.servers import pages_of_mlflow

pytestmark = MARKS


SWEEP = (
    "-m", "study=convergence", "learning_rate=1,5", "initial.range=1", "seed=0,1", "threshold=1e-2,1e-3", "max_epochs=2000",
    "hydra.sweep.dir=out",
)  # fmt: skip


@pytest.mark.parametrize("place", [".", "moved 100% ü"])
def test_mlflows_pages_show_the_sweep(place, browser, command, store, folder, monkeypatch):
    """Also when the project's folder has been moved since, or has another name."""
    assert command("train", *SWEEP).code == 0
    client = MlflowClient(tracking_uri=f"sqlite:///{store}")
    experiment = client.get_experiment_by_name("backpropagation").experiment_id
    runs = client.search_runs([experiment])
    parent = next(run for run in runs if run.data.tags.get("kind") == "sweep")
    child = next(run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id)
    if place != ".":
        (folder / place).mkdir()
        store.parent.rename(folder / place / "mlruns")
        monkeypatch.chdir(folder / place)
    with pages_of_mlflow() as (address, _):
        opened = browser.new_page(viewport={"width": 1600, "height": 1000})
        opened.set_default_timeout(60_000)

        def at(path: str) -> None:
            opened.goto(f"{address}/#/experiments/{experiment}{path}")

        at("/runs")
        opened.get_by_text(parent.info.run_name, exact=True).first.wait_for()

        at(f"/runs/{parent.info.run_id}")
        opened.get_by_text("of 8 runs converged").first.wait_for()
        opened.get_by_text("Lowest expected running time").first.wait_for()
        picture = opened.locator(f"img[src$='run_uuid={parent.info.run_id}']")
        picture.wait_for()
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 300
        link = opened.get_by_role("link", name="The report")
        assert link.get_attribute("href").endswith(
            f"/runs/{parent.info.run_id}/artifacts/report.html?workflowType=machine_learning"
        )

        for name in ("rate", "ert", "median_epochs", "share_converged"):
            opened.get_by_text(name, exact=True).first.wait_for()

        at(f"/runs/{parent.info.run_id}/model-metrics")
        opened.get_by_text("share_converged", exact=True).first.wait_for()
        opened.locator(".js-plotly-plot .scatterlayer .trace path.js-line").first.wait_for()

        at(f"/runs/{parent.info.run_id}/artifacts")
        for name in ("results.parquet", "report.html", "figures", "summary"):
            opened.get_by_text(name, exact=True).first.wait_for()
        opened.get_by_text("report.html", exact=True).first.click()
        framed = opened.frame_locator("iframe")
        framed.get_by_role("heading", name="Answer").wait_for()
        framed.locator("#explorer[data-ready]").wait_for()
        framed.get_by_role("link", name="Versions").click()
        assert framed.get_by_role("heading", name="Versions").evaluate("heading => document.activeElement === heading")

        at(f"/runs/{child.info.run_id}")
        opened.get_by_text(child.info.run_name, exact=True).first.wait_for()
        opened.get_by_text("learning_rate", exact=True).first.wait_for()
        opened.get_by_role("link", name=parent.info.run_name).first.wait_for()

        at(f"/runs/{child.info.run_id}/model-metrics")
        opened.get_by_text("error", exact=True).first.wait_for()
        opened.locator(".js-plotly-plot .scatterlayer .trace").first.wait_for()

        at(f"/runs/{child.info.run_id}/artifacts")
        opened.get_by_text("weights.npz", exact=True).first.wait_for()
        opened.close()
    assert store.parent.exists() == (place == ".")


def test_a_child_says_its_sweep_in_a_list_that_is_sorted_by_a_metric(browser, command, store):
    assert command("train", *SWEEP).code == 0
    client = MlflowClient(tracking_uri=f"sqlite:///{store}")
    experiment = client.get_experiment_by_name("backpropagation").experiment_id
    [parent] = client.search_runs([experiment], "tags.kind = 'sweep'")
    with pages_of_mlflow() as (address, _):
        opened = browser.new_page(viewport={"width": 2000, "height": 1000})
        opened.set_default_timeout(60_000)
        opened.goto(f"{address}/#/experiments/{experiment}/runs?orderByKey=metrics.%60epochs%60&orderByAsc=true")
        opened.get_by_text("learning_rate=5").first.wait_for()
        opened.get_by_role("button", name="Columns").click()
        opened.get_by_placeholder("Search columns").fill("sweep")
        opened.get_by_text("sweep", exact=True).click()
        opened.keyboard.press("Escape")
        cells = opened.get_by_text(f"{parent.info.run_id[:8]} {parent.info.run_name}", exact=True)
        cells.first.wait_for()
        assert cells.count() == 8
        opened.close()


def settled(opened) -> str:
    """The words of a page, when they change no more."""
    before, now = None, opened.inner_text("body")
    while now != before:
        opened.wait_for_timeout(1_500)
        before, now = now, opened.inner_text("body")
    return now


PAGES = {  # of a run, with what is there when one is complete
    "": "text=trial.key",
    "/model-metrics": ".js-plotly-plot .scatterlayer .trace path.js-line",
    "/artifacts": "text=weights.npz",
}


TIMES = r"\d+/\d+/\d{4}, [\d:]+ [AP]M|^[\d.]+m?s$"


def test_a_run_looks_the_same_whichever_way_it_was_written(browser, command, store, monkeypatch):
    """By bulk inserts or by MLflow's client: its pages have the same words, ids and times apart, and the same curve."""
    for schemas in (bulk.KNOWN_SCHEMAS, ()):
        monkeypatch.setattr(bulk, "KNOWN_SCHEMAS", schemas)
        assert command("train", *SWEEP).code == 0
    client = MlflowClient(tracking_uri=f"sqlite:///{store}")
    experiment = client.get_experiment_by_name("backpropagation").experiment_id
    runs = client.search_runs([experiment], "tags.`trial.place` = '3'")
    assert len(runs) == 2
    with pages_of_mlflow() as (address, _):
        opened = browser.new_page(viewport={"width": 1600, "height": 1000})
        opened.set_default_timeout(60_000)
        found = []
        for run in runs:
            pages = []
            for page, sign in PAGES.items():
                opened.goto(f"{address}/#/experiments/{experiment}/runs/{run.info.run_id}{page}")
                shown = opened.locator(sign).first
                shown.wait_for()
                words = settled(opened).replace(run.info.run_id, "id").replace(run.info.run_id[:8], "id")
                pages.append(words.replace(run.data.tags["mlflow.parentRunId"][:8], "sweep"))
                pages.append(shown.get_attribute("d"))  # the curve's points
            found.append([re.sub(TIMES, "", page, flags=re.M) for page in pages if page])
        opened.close()
    assert len(found[0]) == len(PAGES) + 1
    assert found[0] == found[1]
