"""`python -m pipeline.summary` prints the tables of the latest sweep again, or of others, or writes them to a file."""

from pathlib import Path
from typing import Any

from pipeline.app.application import run
from pipeline.app.progress import phase
from pipeline.app.terminal import show, width
from pipeline.errors import ConfigError, printable
from pipeline.trials.checks import choice, refuse_unknown, text
from pipeline.trials.settings import read_tracking


def main(settings: dict[str, Any]) -> int:
    """Prints or writes the tables of recorded sweeps."""
    from pipeline.report.documents import DOCUMENTS, TABLE_NAMES, Contents, parts  # with pandas, which takes long to import
    from pipeline.results.whole_file import write_output

    refuse_unknown(settings, ("sweep", "by", "where", "table", "format", "output", "tracking"))
    requested, by = names("sweep", settings["sweep"]), names("by", settings["by"])
    style = choice("format", settings["format"], tuple(DOCUMENTS))
    table = "" if settings["table"] is None else choice("table", settings["table"], TABLE_NAMES)
    where = (
        "" if settings["where"] is None else text("where", settings["where"], "a condition, as momentum=0.9, or null").strip()
    )
    output = settings["output"] and Path(text("output", settings["output"], "the name of a file, or null"))
    if style in ("html", "parquet") and not output:
        raise ConfigError("output", None, f"format={style} needs the name of a file")
    if style == "html" and table:
        raise ConfigError("table", table, "must be null: format=html has all tables")
    tracking = read_tracking(settings)
    with phase("reading"):
        from pipeline.store.sweeps import read_sweep  # with MLflow, which takes long to import

        sweeps = [read_sweep(tracking, which) for which in requested or ["latest"]]
    with phase("tables"):
        contents = Contents.of(sweeps, by, table, where, None if output else width())
    if style == "text" and not output:
        with phase("tables"):
            shown = parts(contents)
        show(shown)
        return 0
    with phase("figures" if style == "html" else "tables"):
        document = DOCUMENTS[style](contents)
    if output:
        try:
            write_output(output, document if isinstance(document, bytes) else f"{document}\n".encode())
        except OSError as error:
            raise ConfigError("output", str(output), f"cannot be written: {error.strerror or error}") from None
    print(printable(f"written to {output}" if output else str(document), lines=True))
    return 0


def names(key: str, value: object) -> list[str]:
    """A name, names separated by commas, or a list of names, as a list; null is an empty one. Raises ConfigError."""
    if value is None:
        return []
    entries = [str(entry).strip() for entry in (value if isinstance(value, list) else str(value).split(","))]
    if not all(entries) or len(set(entries)) < len(entries):
        raise ConfigError(key, value, "must be a name, or a list of different names")
    return entries


if __name__ == "__main__":
    run(main, "summary")
