"""The files of a sweep's artifacts: linked into a local store, and interrupts while they are written."""

import signal
import subprocess
import sys
import time

import pytest

from pipeline.store.write import linked
from pipeline.sweeps.artifacts.files import prepare
from tests.stores import interrupt_in_a_library


def test_a_file_that_is_linked_replaces_what_was_there_and_outlives_its_first_name(tmp_path, monkeypatch):
    source, target = tmp_path / "source", tmp_path / "target"
    for no_links in (False, True):
        if no_links:
            monkeypatch.delattr("os.link")
            monkeypatch.setattr("os.link", lambda *_: (_ for _ in ()).throw(OSError), raising=False)
        source.write_bytes(b"new")
        target.write_bytes(b"old, and longer")
        linked(str(source), str(target))
        assert target.samefile(source) is not no_links
        source.unlink()
        assert target.read_bytes() == b"new"


def test_an_import_that_another_thread_has_given_up_is_no_error_of_the_one_that_waits_for_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pipeline.report.page.explorer", None)
    with pytest.raises(ImportError):
        import pipeline.report.page.explorer  # noqa: F401
    prepare()


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["artifacts/results.parquet", "summary/*.csv"])
def test_an_interrupt_while_results_are_written_ends_the_command_as_any_other(moment, folder, store):
    """Arrow aborts a process that ends while it is at work. What is begun of results.parquet is removed."""
    sweep = ("task=xor", "network=trained", "initial=uniform", "max_epochs=20", "learning_rate=1,2,3,4", "seed=range(100000)")
    command = [sys.executable, "-m", "pipeline.train", "-m", *sweep, "tracking.runs=none", "resume=never"]
    for _ in range(3):
        before = set(folder.rglob(moment))
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while process.poll() is None and set(folder.rglob(moment)) == before:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
        assert process.returncode == 130, errors
        assert "of 400,000 runs are kept" in errors
    whole = 0 if moment.endswith("results.parquet") else 3
    assert len(list(folder.rglob("kept*/artifacts/results.parquet"))) == whole


@pytest.mark.parametrize(
    "words", [("train", "-m", "learning_rate=0.5,1", "max_epochs=5"), ("map", "map.size=[4,4]", "max_epochs=5")]
)
def test_an_interrupt_of_which_a_library_makes_another_error_is_one(words, store, folder, command, monkeypatch):
    monkeypatch.setattr("pipeline.report.figures.files.write_figures", interrupt_in_a_library)
    monkeypatch.setattr("pipeline.maps.recording.session.write_artifacts", interrupt_in_a_library)
    ended = command(*words)
    assert (ended.code, "Traceback" in ended.err, "are kept in" in ended.err) == (130, False, True)
