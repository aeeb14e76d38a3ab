"""Files written whole or not at all."""

import errno
import os
import subprocess
import sys

import pytest

from aeplug.runtime import atomic_replace, atomic_write
from aeplug.runtime.files import describe_lack_of_memory

KILLED = """
import os, signal, sys
from pathlib import Path
from aeplug.runtime import atomic_replace
with atomic_replace(Path(sys.argv[1])) as temporary:
    temporary.write_text("half of the n")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def write_half(temporary):
    temporary.write_text("half")
    raise ValueError("no more")


def test_the_new_content_takes_the_place_of_the_old(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with atomic_replace(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    atomic_write(path, "Bär")
    assert path.read_text(encoding="utf-8") == "Bär"
    atomic_write(path, b"\0\1")
    assert path.read_bytes() == b"\0\1"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_an_error_leaves_the_old_and_no_trace(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ValueError, match="no more"), atomic_replace(path) as temporary:
        write_half(temporary)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_kill_leaves_the_old(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)])
    assert done.returncode < 0
    assert path.read_text() == "old"
    left = [name for name in os.listdir(tmp_path) if name.endswith(".partial")]
    assert len(left) == 1
    atomic_write(path, "new")  # what the kill left is in nobody's way
    assert path.read_text() == "new"


@pytest.mark.skipif(os.name != "posix", reason="locks as POSIX has them")
def test_the_next_write_removes_what_a_kill_left_and_nothing_else(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a.txt")])
    mine = [".mine.partial", "mine.0123456789ab.partial", ".a.txt.0123456789ab"]
    for name in mine:
        (tmp_path / name).write_text("mine")
    (tmp_path / ".link.0123456789ab.partial").symlink_to(tmp_path / ".mine.partial")
    atomic_write(tmp_path / "b.txt", "new")
    assert sorted(os.listdir(tmp_path)) == sorted([*mine, ".link.0123456789ab.partial", "b.txt"])


@pytest.mark.skipif(os.name != "posix", reason="locks as POSIX has them")
def test_what_another_process_is_writing_stays(tmp_path):
    code = (
        "import sys\nfrom pathlib import Path\nfrom aeplug.runtime import atomic_replace\n"
        "with atomic_replace(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('whole')\n    print('ready', flush=True)\n    input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "a.txt")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout.readline() == "ready\n"
        atomic_write(tmp_path / "b.txt", "new")
        assert len(os.listdir(tmp_path)) == 2
        other.communicate("\n")
    assert other.returncode == 0
    assert (tmp_path / "a.txt").read_text() == "whole"


def test_an_error_of_the_system_names_the_file_and_not_its_temporary_name(tmp_path):
    path = tmp_path / "a.txt"

    expected = pytest.raises(OSError, match=r"File too large: '.*/a\.txt'$")
    with expected, atomic_replace(path) as temporary:
        raise OSError(errno.EFBIG, "File too large", str(temporary))
    with pytest.raises(FileNotFoundError) as raised:
        atomic_write(tmp_path / "no-such-folder" / "b.txt", "x")
    assert raised.value.filename == str(tmp_path / "no-such-folder" / "b.txt")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError) as raised:
        atomic_write(tmp_path / "folder", "x")
    assert raised.value.filename == str(tmp_path / "folder")
    assert os.listdir(tmp_path) == ["folder"]


def test_its_temporary_name_is_never_the_same_and_it_follows_no_link(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    names = []
    for _ in range(2):
        with atomic_replace(path) as temporary:
            names.append(temporary.name)
    assert names[0] != names[1] and all(name.startswith(".a.txt.") for name in names)
    monkeypatch.setattr("aeplug.runtime.partial_files.secrets.token_hex", lambda _: "guessed")
    (tmp_path / ".a.txt.guessed.partial").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        atomic_write(path, "secret")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_it_has_the_permissions_of_a_plain_file(tmp_path):
    before = os.umask(0o027)
    try:
        atomic_write(tmp_path / "a.txt", "x")
        (tmp_path / "plain.txt").write_text("x")
    finally:
        os.umask(before)
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("a.txt", "plain.txt")]
    assert modes == [0o640, 0o640]


def test_a_long_name(tmp_path):
    path = tmp_path / ("ä" * 120 + ".txt")
    atomic_write(path, "x")
    assert path.read_text() == "x"


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate "
            "memory: you tried to allocate 204799999997952 bytes. Error code 12",
            "not enough memory for 204,800 GB more",
        ),
        (
            "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79 GiB",
            "not enough memory for 2.0 GiB more",
        ),
        ("Storage size calculation overflowed with sizes=[784, 99999]", "not enough memory"),
        ("mat1 and mat2 shapes cannot be multiplied (4x3 and 4x2)", ""),
    ],
)
def test_a_lack_of_memory_is_one_plain_line(said, line):
    assert describe_lack_of_memory(RuntimeError(said)) == line
