"""A store of another MLflow is refused in one line, and upgraded only where that is asked for; passwords stay hidden."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy
from alembic import command as alembic
from alembic.script import ScriptDirectory
from mlflow.store.db.utils import _get_alembic_config, _get_latest_schema_revision
from mlflow.store.tracking.dbmodels.initial_models import Base

from pipeline.errors import ConfigError, masked
from pipeline.store import bulk
from pipeline.store.addresses import address
from pipeline.store.schema import current, is_older, predecessors
from tests.stores import runs_of


def set_schema(store: Path, version: str) -> None:
    """Gives the database another schema's name."""
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", [version])
    connection.close()


@pytest.fixture
def old_store(folder: Path) -> Path:
    """A store as an MLflow some schemas ago has made it."""
    path = folder / "mlruns" / "mlflow.db"
    path.parent.mkdir()
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    config = _get_alembic_config(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        older = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][12]
        alembic.upgrade(config, older)
    engine.dispose()
    return path


def test_the_schemas_of_mlflow_are_those_that_it_says_itself():
    scripts = list(ScriptDirectory.from_config(_get_alembic_config("")).walk_revisions())
    assert {one.revision: set(one._all_down_revisions) for one in scripts} == {
        schema: set(before) for schema, before in predecessors().items()
    }
    assert current() == _get_latest_schema_revision()
    assert [one.revision for one in scripts if not is_older(one.revision)] == [current()]
    assert not is_older("f" * 12)


COMMANDS = [("train", "max_epochs=3"), ("train", "-m", "seed=1,2", "initial=uniform"), ("summary",), ("ui",), ("reproduce",)]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_store_of_a_newer_mlflow_is_refused_in_one_line(arguments, store, command):
    set_schema(store, "f" * 12)
    ended = command(*arguments)
    assert ended.code == 2
    assert ended.err == (
        f"tracking.uri=sqlite:///{store}: is a store of a newer MLflow (schema {'f' * 12}) than the one that is installed\n"
    )


def test_a_store_of_an_older_mlflow_is_upgraded_only_when_asked_and_a_copy_is_kept(old_store, command):
    before = old_store.read_bytes()
    for arguments in COMMANDS:
        ended = command(*arguments)
        assert ended.code == 2
        assert "is a store of an older MLflow" in ended.err
        assert "make upgrade-store" in ended.err
        assert len(ended.err.splitlines()) == 1
    assert old_store.read_bytes() == before
    upgraded = command("upgrade")
    assert upgraded.code == 0, upgraded.err
    [copy] = [path for path in old_store.parent.iterdir() if path.name.startswith("mlflow.db.")]
    assert str(copy) in upgraded.out
    assert copy.read_bytes()[100:] == before[100:]
    assert command("train", "max_epochs=3").code == 0
    assert len(runs_of(old_store)[1]) == 1
    again = command("upgrade")
    assert again.code == 2
    assert f"has no older schema than {current()}" in again.err


def test_what_cannot_be_upgraded_is_said(folder, store, command):
    (folder / "text").write_text("so it is")
    for uri, why in {
        "sqlite:///none.db": "no such store",
        "sqlite:///text": "is no store of MLflow",
        "http://localhost:1": "is no SQLite store",
    }.items():
        ended = command("upgrade", f"tracking.uri={uri}")
        assert ended.code == 2
        assert why in ended.err
        assert len(ended.err.splitlines()) == 1
    assert not (folder / "none.db").exists()


def test_a_schema_that_is_not_known_to_the_bulk_writer_is_said_once(store, command, monkeypatch):
    monkeypatch.setattr(bulk, "KNOWN_SCHEMAS", ())
    ended = command("train", "-m", "initial=uniform", "seed=range(3)", "max_epochs=3")
    assert ended.code == 0
    assert len(ended.notices) == 1
    assert len(runs_of(store)[2]) == 3


SECRET = "s3cr3t/w0rd"
SHOWN = {
    f"postgresql://me:{SECRET}@host/db": "postgresql://me:***@host/db",
    "postgresql+psycopg2://me:p%40ss@host:5432/db": "postgresql+psycopg2://me:***@host:5432/db",
    "http://me:pass@host:5000/path@x": "http://me:***@host:5000/path@x",
    "http://host:5000/path@x": "http://host:5000/path@x",
    "postgresql://host/db?user=me&password=abc&sslmode=require": "postgresql://host/db?user=me&password=***&sslmode=require",
    f"it failed (mysql://me:{SECRET}@host/db) for me@host": "it failed (mysql://me:***@host/db) for me@host",
    "postgresql://me@host/db": "postgresql://me@host/db",
    "sqlite:///a:b@c/m.db": "sqlite:///a:b@c/m.db",
}


@pytest.mark.parametrize("text", SHOWN)
def test_passwords_are_hidden(text):
    assert masked(text) == SHOWN[text]
    assert masked(SHOWN[text]) == SHOWN[text]


def test_passwords_of_the_environment_are_hidden_wherever_they_appear(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter22")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://me:p%40ssw0rd@host/db")
    assert masked("no hunter22, no p@ssw0rd, no p%40ssw0rd") == "no ***, no ***, no ***"
    assert str(ConfigError("key", "hunter22", "must be p@ssw0rd")) == "key=***: must be ***"
    place = address(None)
    assert place.uri == "postgresql://me:p%40ssw0rd@host/db"
    assert place.shown == "postgresql://me:***@host/db"
    assert address(place.shown).uri == place.uri  # as a sweep that waits to be recorded has it
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with pytest.raises(ConfigError, match="lacks its password"):
        address(place.shown)


@pytest.mark.parametrize(
    "more", [(), ("-m", "seed=1,2"), ("-m", "hydra/sweeper=basic", "seed=1,2")], ids=["run", "sweep", "basic"]
)
@pytest.mark.parametrize("uri", ["postgresql://me:{}@host/db", "http://me:{}@localhost:1"])
def test_a_password_in_a_configuration_is_refused_before_it_is_written_anywhere(more, uri, folder):
    line = [sys.executable, "-m", "pipeline.train", *more, f"tracking.uri={uri.format('s3cr3t')}"]
    ended = subprocess.run(line, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert (
        ended.stderr
        == f"tracking.uri={uri.format('***')}: must hold no password, which would be kept in files: use MLFLOW_TRACKING_URI\n"
    )
    assert list(folder.iterdir()) == []
