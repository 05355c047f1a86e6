"""A file is there whole or as it was; a link, a device or a pipe is written to and stays what it is."""

import os
import stat
import threading
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.results.whole_file import whole_file, write_output

ERRORS = [OSError(28, "No space left on device"), KeyboardInterrupt(), pa.ArrowInvalid("x")]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
@pytest.mark.parametrize("name", ["sweep.json", "ü" * 127])
def test_a_file_is_there_whole_or_as_it_was(name, tmp_path, error):
    path = tmp_path / name
    path.write_text("before")

    def write_half():
        with whole_file(path) as file:
            file.write(b"half of")
            raise error

    with pytest.raises(type(error)) as raised:
        write_half()
    assert (path.read_text(), list(tmp_path.iterdir())) == ("before", [path])
    if isinstance(error, OSError):
        assert str(path) in str(raised.value)


def test_a_name_that_only_the_content_gives(tmp_path):
    with whole_file(tmp_path / "draft", lambda: tmp_path / "final") as file:
        file.write(b"all")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"all"]
    assert (tmp_path / "final").exists()


@pytest.mark.parametrize("mode", [0o600, 0o664, None])
def test_a_file_keeps_its_mode(mode, tmp_path):
    path = tmp_path / "file"
    (tmp_path / "other").write_text("")
    if mode is not None:
        path.write_text("before")
        path.chmod(mode)
    write_output(path, b"after")
    assert path.read_bytes() == b"after"
    expected = (tmp_path / "other").stat().st_mode if mode is None else mode
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(expected)


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "link").symlink_to("target")
    write_output(tmp_path / "link", b"content")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"content"


def test_a_pipe_and_a_device_are_written_to(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_output(pipe, b"content")
    reader.join()
    write_output(Path("/dev/null"), b"content")
    assert read == [b"content"]
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize(
    ("name", "error"),
    [("folder", IsADirectoryError), ("missing/file", FileNotFoundError), ("file/below", NotADirectoryError)],
)
def test_what_cannot_be_written_is_an_error_and_leaves_nothing(name, error, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("before")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(error):
        write_output(tmp_path / name, b"content")
    assert sorted(tmp_path.rglob("*")) == before
