"""The schema of a store's database: that of the MLflow that is installed, or refused; upgraded only where that is asked for.

Which schemas MLflow has had is read from its files, as importing it takes a second.
"""

import re
import sqlite3
from contextlib import closing
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.store.addresses import Address
from pipeline.store.failures import unusable

SECONDS = 10  # for a database to answer
REVISION = re.compile(r"^(revision|down_revision)\b[^=\n]*=(.+)$", re.MULTILINE)
QUOTED = re.compile(r"""["'](\w+)["']""")


@cache
def predecessors() -> dict[str, list[str]]:
    """Each schema that the installed MLflow knows, with those that it upgrades to it: one, or several that it joins."""
    spec = find_spec("mlflow")
    assert spec
    assert spec.origin
    folder = Path(spec.origin).with_name("store") / "db_migrations" / "versions"
    found = {}
    for file in folder.glob("*.py"):
        lines = {name: QUOTED.findall(value) for name, value in REVISION.findall(file.read_text(encoding="utf-8"))}
        if "revision" in lines:
            [schema] = lines["revision"]
            found[schema] = lines["down_revision"]
    return found


@cache
def current() -> str:
    """The schema of the MLflow that is installed: the one that is upgraded to no other."""
    latest = set(predecessors()).difference(*predecessors().values())
    if len(latest) == 1:
        return latest.pop()
    from mlflow.store.db.utils import _get_latest_schema_revision

    return str(_get_latest_schema_revision())  # type: ignore[no-untyped-call]


def check_schema(shown: str, schema: str | None) -> None:
    """Raises ConfigError for a database with a schema of another MLflow. None: it has none yet."""
    if schema is None or schema == current():
        return
    if is_older(schema):
        how = "`make upgrade-store` upgrades it" if shown.startswith("sqlite:") else "back it up, then use `mlflow db upgrade`"
        advice = f"is a store of an older MLflow (schema {schema}); {how}"
    else:
        advice = f"is a store of a newer MLflow (schema {schema}) than the one that is installed"
    raise ConfigError("tracking.uri", shown, advice)


def is_older(schema: str) -> bool:
    """Whether the installed MLflow once had that schema."""
    return schema in predecessors() and schema != current()


def check_database(place: Address) -> None:
    """Raises ConfigError for a database server that does not answer, lacks its driver or has another schema.

    MLflow itself would try again for minutes.
    """
    import sqlalchemy
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    options = {"connect_timeout": SECONDS} if place.uri.startswith(("postgresql", "mysql")) else {}
    try:
        engine = sqlalchemy.create_engine(place.uri, connect_args=options)
        with closing(engine.raw_connection()), engine.connect() as connection:
            tables = sqlalchemy.inspect(connection).get_table_names()
            versions = sqlalchemy.text("SELECT version_num FROM alembic_version")
            schema = connection.execute(versions).scalar() if "alembic_version" in tables else None
        engine.dispose()
    except ModuleNotFoundError as error:
        raise ConfigError("tracking.uri", place.shown, f"needs a driver: pip install {error.name}") from None
    except (ArgumentError, NoSuchModuleError) as error:
        raise ConfigError("tracking.uri", place.shown, f"is no address of a store: {error}") from None
    except Exception as error:  # the driver's own
        raise unusable(place.shown, error) from None
    check_schema(place.shown, schema)


def upgrade(place: Address) -> Path:
    """Upgrades a SQLite store of an older MLflow; gives the copy as it was before. Raises ConfigError for any other store."""
    import sqlalchemy
    from mlflow.store.db.utils import _upgrade_db

    if place.path is None:
        raise ConfigError("tracking.uri", place.shown, "is no SQLite store; back it up and use: mlflow db upgrade")
    if not place.path.is_file():
        raise ConfigError("tracking.uri", place.shown, "no such store")
    with closing(sqlite3.connect(f"{place.path.as_uri()}?mode=rw", uri=True)) as source:
        try:
            [schema] = source.execute("SELECT version_num FROM alembic_version").fetchone()
        except (sqlite3.Error, TypeError):
            raise ConfigError("tracking.uri", place.shown, "is no store of MLflow") from None
        if not is_older(schema):
            raise ConfigError("tracking.uri", place.shown, f"has no older schema than {current()}, but {schema}")
        copy = place.path.with_name(f"{place.path.name}.{schema}")
        if copy.exists():
            raise ConfigError("tracking.uri", place.shown, f"can't be kept as {copy.name}: that is there already")
        with closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    engine = sqlalchemy.create_engine(place.uri)
    _upgrade_db(engine)  # type: ignore[no-untyped-call]
    engine.dispose()
    return copy
