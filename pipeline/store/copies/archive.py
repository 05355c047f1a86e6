"""A finished sweep as one zip file: plain, and the same bytes for the same sweep.

    manifest.json                {"format": FORMAT, "members": {name: {"sha256": …, "size": …}, …}} of all other members
    parent.json                  the parent run: the fields of `Parent`; metrics as [name, value, time, step], an infinite
                                 value as text
    children/0000000000.arrows…  its runs in the order of their trials, some hundred a member: `pipeline.store.copies.children`
    artifacts/…                  the parent's artifacts, as they are

All members are deflated files without a time. What is read is believed in nothing: names, sizes and checksums are checked
before anything is used, each run against its digest and its row of results.parquet; nothing is resolved or executed.
"""

import hashlib
import json
import math
import os
import re
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from pipeline.errors import ConfigError
from pipeline.results.whole_file import whole_file
from pipeline.store.copies.children import from_arrow, to_arrow
from pipeline.store.copies.sweep import (
    MOST_NUMBER,
    RESULTS,
    TRIALS_TAG,
    Child,
    Parent,
    Point,
    Sweep,
    checked,
    checked_parent,
    pieces,
    recorded_rows,
)
from pipeline.store.files import MOST_BYTES, MOST_INFLATED, MOST_JSON, DamagedError, check_plain, damage

FORMAT = "backpropagation sweep 1"
MANIFEST, PARENT, CHILDREN, ARTIFACTS = "manifest.json", "parent.json", "children/", "artifacts/"
CHILDREN_NAME = re.compile(r"children/\d{10}\.arrows")
AT_ONCE, BYTES_AT_ONCE = 200, 2**23  # runs of a member
MOST_MEMBERS, MOST_DIRECTORY = 10_000, 2**22  # members of a zip file; bytes of its list of them
MOST_MEMBER = 2**25  # bytes of a member that is read as a whole; or MOST_INFLATED times those in the file
LEVEL = 6  # of compression
PIECE = 2**20  # bytes of a file that are in memory
DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # names of no files on Windows
PART = re.compile(r"[^\x00-\x1f\x7f-\x9f<>:\"/\\|?*]{1,200}")
END, END64, LOCATOR = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"  # of a zip file


def write_archive(sweep: Sweep, path: Path, check: Callable[[], None]) -> int:
    """Writes the sweep to a new file, whole or not at all; gives the number of its runs. Raises ConfigError."""
    if path.exists() or path.is_symlink():
        raise ConfigError("export", str(path), "is there already: give the name of a new file")
    names = {f"{ARTIFACTS}{file.relative_to(sweep.folder).as_posix()}": file for file in files(sweep.folder)}
    if wrong := [name for name in names if not is_name(name)]:
        raise ConfigError("export", str(path), f"cannot hold the artifact {wrong[0]!r}: its name is none everywhere")
    runs = 0
    try:
        with whole_file(path) as file, zipfile.ZipFile(file, "w") as archive:
            members: dict[str, dict[str, Any]] = {}
            add(archive, members, PARENT, parent_to_json(sweep.parent))
            for number, piece in enumerate(pieces(sweep.children(), AT_ONCE, BYTES_AT_ONCE)):
                check()
                add(archive, members, f"{CHILDREN}{number:010d}.arrows", to_arrow([*piece]))
                runs += len(piece)
            for name, source in names.items():
                check()
                add_file(archive, members, name, source)
            add(archive, {}, MANIFEST, json.dumps({"format": FORMAT, "members": members}, indent=1).encode())
    except OSError as error:
        raise ConfigError("export", str(path), f"cannot be written: {error.strerror or error}") from None
    return runs


def files(folder: Path) -> list[Path]:
    """The files in a folder, in order."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def entry(name: str) -> zipfile.ZipInfo:
    """A member without a time: a plain file."""
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.create_system, info.external_attr, info.compress_type = 3, (stat.S_IFREG | 0o644) << 16, zipfile.ZIP_DEFLATED
    return info


def add(archive: zipfile.ZipFile, members: dict[str, dict[str, Any]], name: str, content: bytes) -> None:
    """Adds a member, and notes its checksum."""
    archive.writestr(entry(name), content, compresslevel=LEVEL)
    members[name] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def add_file(archive: zipfile.ZipFile, members: dict[str, dict[str, Any]], name: str, source: Path) -> None:
    """Adds a file, piece by piece."""
    sha, size = hashlib.sha256(), 0
    info = entry(name)
    info.file_size = source.stat().st_size
    info._compresslevel = LEVEL  # type: ignore[attr-defined]  # a parameter from Python 3.13 on
    with open(source, "rb") as file, archive.open(info, "w") as member:
        while piece := file.read(PIECE):
            sha.update(piece)
            size += len(piece)
            member.write(piece)
    members[name] = {"sha256": sha.hexdigest(), "size": size}


def parent_to_json(parent: Parent) -> bytes:
    """The parent run as JSON."""
    points = [(key, value if math.isfinite(value) else repr(value), *rest) for key, value, *rest in parent.metrics]
    return json.dumps(asdict(parent) | {"metrics": points}, indent=1).encode()


def parent_from_json(content: bytes) -> Parent:
    """What `parent_to_json` wrote. Raises DamagedError."""
    data = from_json(content)
    if not isinstance(data, dict) or set(data) != {field.name for field in fields(Parent)}:
        raise DamagedError("is no parent run")
    texts = [data["run_id"], data["experiment"], data["name"]]
    for name in ("params", "tags"):
        if not isinstance(data[name], dict):
            raise DamagedError("is no parent run")
        texts += data[name].values()
    if not all(isinstance(one, str) for one in texts) or not isinstance(data["metrics"], list):
        raise DamagedError("is no parent run")
    if not all(type(data[name]) is int for name in ("start", "end")):
        raise DamagedError("is no parent run")
    return checked_parent(Parent(**{**data, "metrics": list(map(point, data["metrics"]))}))


def point(data: object) -> Point:
    """A point of a metric. Raises DamagedError."""
    match data:
        case [str(key), int() | float() | "inf" | "-inf" | "nan" as value, int(time), int(step)]:
            return key, float(value), time, step
    raise DamagedError("has a metric that is none")


def from_json(content: bytes) -> Any:
    """Plain data. Raises DamagedError."""
    with damage("JSON"):
        return check_plain(json.loads(content.decode("utf-8"), object_pairs_hook=unique))


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Pairs as a dictionary. Raises DamagedError for a key that is there twice."""
    if len(dict(pairs)) < len(pairs):
        raise DamagedError("has a key twice")
    return dict(pairs)


@contextmanager
def sweep_in_archive(path: Path) -> Iterator[Sweep]:
    """The sweep in a zip file, all of it checked. Raises ConfigError, which names the file and the member."""
    if not path.is_file():
        raise ConfigError("import", str(path), "there is no such file")
    with opened(path) as file, TemporaryDirectory() as temporary:
        with refused(path, ""):
            archive = Archive(file, path)
        folder = Path(temporary) / "artifacts"
        folder.mkdir()
        with refused(path, PARENT):
            parent = parent_from_json(archive.content(PARENT))
        archive.extract(ARTIFACTS, folder)
        with refused(path, ARTIFACTS + RESULTS):
            if not (folder / RESULTS).is_file():
                raise DamagedError("is not there")
            rows = recorded_rows(folder / RESULTS, parent.tags.get(TRIALS_TAG))

        def children() -> Iterator[Child]:
            with refused(path, CHILDREN.rstrip("/")):
                yield from checked(archive.children(), rows)

        for _ in children():  # before any is recorded
            pass
        yield Sweep(parent, folder, children)


def opened(path: Path) -> IO[bytes]:
    """The file, to be read. Raises ConfigError."""
    try:
        return open(path, "rb")
    except OSError as error:
        raise ConfigError("import", str(path), f"cannot be read: {error.strerror or error}") from None


@contextmanager
def refused(path: Path, member: str) -> Iterator[None]:
    """Damage to a member as ConfigError."""
    try:
        yield
    except DamagedError as error:
        raise ConfigError("import", str(path), f"{member} {error}".strip()) from None


class Archive:
    """A zip file whose names, sizes and manifest are checked; each member is checked when it is read. Raises DamagedError."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self.path = path
        check_directory(file)
        with damage("a zip file"):
            self.zip = zipfile.ZipFile(file)
        self.members = checked_members(self.zip.infolist(), os.fstat(file.fileno()).st_size)
        if MANIFEST not in self.members:
            raise DamagedError(f"is no sweep: it has no {MANIFEST}")
        if self.members[MANIFEST].file_size > MOST_JSON:
            raise DamagedError(f"{MANIFEST} has more than {MOST_JSON:,} bytes")
        with refused(path, MANIFEST):
            self.digests = self._digests(from_json(b"".join(self._pieces(MANIFEST))))

    def _digests(self, manifest: Any) -> Mapping[str, str]:
        """The SHA-256 of each member but the manifest. Raises DamagedError if it does not list just what there is."""
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT or not isinstance(manifest.get("members"), dict):
            raise DamagedError(f"is not that of a {FORMAT!r}")
        members = manifest["members"]
        if different := set(members) ^ (set(self.members) - {MANIFEST}):
            raise DamagedError(f"does not list what is there: {min(different)[:200]!r} is in one of both")
        for name, listed in members.items():
            if not isinstance(listed, dict) or listed.get("size") != self.members[name].file_size:
                raise DamagedError(f"has another size of {name!r} than the file")
        return {name: str(listed.get("sha256")) for name, listed in members.items()}

    def _pieces(self, name: str) -> Iterator[bytes]:
        """The content of a member, piece by piece; never more than the size it says."""
        with damage("whole"):
            file = self.zip.open(self.members[name])
        with file:
            while True:
                with damage("whole"):
                    piece = file.read(PIECE)
                if not piece:
                    return
                yield piece

    def pieces(self, name: str) -> Iterator[bytes]:
        """The same; the last piece comes, and DamagedError after it if the checksum is another one."""
        sha = hashlib.sha256()
        for piece in self._pieces(name):
            sha.update(piece)
            yield piece
        if sha.hexdigest() != self.digests[name]:
            raise DamagedError(f"is not what its checksum in {MANIFEST} says")

    def content(self, name: str) -> bytes:
        """The content of a member of moderate size."""
        if name not in self.members:
            raise DamagedError("is not there")
        member = self.members[name]
        if member.file_size > max(MOST_MEMBER, MOST_INFLATED * member.compress_size):
            raise DamagedError(f"would have {member.file_size:,} bytes, more than {member.compress_size:,} can hold")
        return b"".join(self.pieces(name))

    def extract(self, prefix: str, folder: Path) -> None:
        """Writes the members below a name to new files in a folder. Raises ConfigError."""
        for name in self.members:
            if name.startswith(prefix):
                target = folder / name.removeprefix(prefix)
                target.parent.mkdir(parents=True, exist_ok=True)
                with refused(self.path, name), open(target, "xb") as file:
                    for piece in self.pieces(name):
                        file.write(piece)

    def children(self) -> Iterator[Child]:
        """The runs, in their order. Raises ConfigError."""
        for name in sorted(self.members):
            if name.startswith(CHILDREN):
                with refused(self.path, name):
                    some = from_arrow(self.content(name))
                yield from some


def check_directory(file: IO[bytes]) -> None:
    """Raises DamagedError where the list of a zip file's members is too long to be read, or is none."""
    size = os.fstat(file.fileno()).st_size
    file.seek(max(0, size - 42))
    tail = file.read()
    if tail[-22:-18] != END or len(tail) < 22:
        raise DamagedError("is not a zip file, or is damaged")
    count, length = struct.unpack_from("<HI", tail[-22:], 10)
    if tail[:4] == LOCATOR and len(tail) == 42:
        file.seek(min(size, struct.unpack_from("<Q", tail, 8)[0]))
        record = file.read(56)
        if record[:4] != END64 or len(record) < 56:
            raise DamagedError("is not a zip file, or is damaged")
        count, length = struct.unpack_from("<QQ", record, 32)
    if count > MOST_MEMBERS or length > MOST_DIRECTORY:
        raise DamagedError(f"has {count:,} members, more than {MOST_MEMBERS:,}, or too long names")


def checked_members(found: list[zipfile.ZipInfo], size: int) -> dict[str, zipfile.ZipInfo]:
    """The members of a zip file of that size, by name. Raises DamagedError for any that is not plain."""
    members: dict[str, zipfile.ZipInfo] = {}
    folded: set[str] = set()
    for member in found:
        name = member.orig_filename
        if name != member.filename or not is_name(name):
            raise DamagedError(f"has a member of the name {name[:200]!r}, which is none of a sweep's")
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG) or member.flag_bits & 1 or member.compress_type not in (0, 8):
            raise DamagedError(f"has the member {name!r}, which is no plain file")
        if name.casefold() in folded:
            raise DamagedError(f"has the member {name!r} twice")
        folded.add(name.casefold())
        members[name] = member
    for name in folded:  # a file that is a folder, too
        if any(parent in folded for parent in parents(name)):
            raise DamagedError(f"has the member {name!r} within another one")
    inflated = sum(member.file_size for member in found)
    if inflated > max(MOST_BYTES, MOST_INFLATED * size) or inflated > MOST_NUMBER:
        raise DamagedError(f"would have {inflated:,} bytes, more than a file of {size:,} bytes can have")
    return members


def parents(name: str) -> list[str]:
    """The folders that a name is in."""
    parts = name.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def is_name(name: str) -> bool:
    """Whether a sweep's file may have a member of that name: a plain one on every system."""
    if name in (MANIFEST, PARENT) or CHILDREN_NAME.fullmatch(name):
        return True
    parts = name.split("/")
    plain = all(PART.fullmatch(part) and not DEVICES.fullmatch(part) and part[-1] not in ". " for part in parts)
    return name.startswith(ARTIFACTS) and plain and len(name.encode(errors="replace")) <= 1000 and len(parts) <= 20
