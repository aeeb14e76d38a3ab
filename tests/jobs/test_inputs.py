"""Which files a command means, and the names of their results."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from aeplug.errors import ConfigError, FileError
from aeplug.jobs.inputs import Inputs
from aeplug.jobs.outputs import Results, Targets
from aeplug.runtime import write_sheet
from aeplug.runtime.files import require_regular


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Files below ``in``, and the current folder above it."""
    monkeypatch.chdir(tmp_path)
    for name in ("in/b.x", "in/a.x", "in/sub/c.X", "in/sub/deep/d.x", "in/notes.txt", "e.x"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for name in ("in/.hidden/z.x", "in/.z.x"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def found(*arguments, manifest="", out="out"):
    inputs = Inputs(arguments, manifest, (".x",), Path(out))
    once = [(one.path, one.target) for one in inputs]
    assert [(one.path, one.target) for one in inputs] == once  # may be walked again
    return once


class TestArguments:
    def test_a_folder_is_searched_in_order_and_its_tree_kept(self, tree):
        assert found("in") == [
            ("in/a.x", "a.x"),
            ("in/b.x", "b.x"),
            ("in/sub/c.X", "sub/c.X"),
            ("in/sub/deep/d.x", "sub/deep/d.x"),
        ]
        assert [place for _, place in found(str(tree / "in") + "/")] == [
            place for _, place in found("in")
        ]

    def test_files_keep_their_order_and_name_whatever_their_suffix(self, tree):
        assert found("in/sub/c.X", "in/notes.txt", "nothing.x") == [
            ("in/sub/c.X", "c.X"),
            ("in/notes.txt", "notes.txt"),
            ("nothing.x", "nothing.x"),
        ]

    def test_patterns_keep_the_tree_below_their_fixed_part(self, tree):
        assert found("in/**/*.x") == [
            ("in/a.x", "a.x"),
            ("in/b.x", "b.x"),
            ("in/sub/deep/d.x", "sub/deep/d.x"),
        ]
        assert found("in/[ab].x") == [("in/a.x", "a.x"), ("in/b.x", "b.x")]
        assert [place for _, place in found("i?/**")] == [
            "in/a.x",
            "in/b.x",
            "in/sub/c.X",
            "in/sub/deep/d.x",
        ]
        assert found("in/s*") == [
            ("in/sub/c.X", "sub/c.X"),
            ("in/sub/deep/d.x", "sub/deep/d.x"),
        ]

    def test_a_file_whose_name_looks_like_a_pattern(self, tree):
        (tree / "in" / "[a].x").touch()
        assert found("in/[a].x") == [("in/[a].x", "[a].x")]

    def test_nothing_found_is_said(self, tree):
        (tree / "none").mkdir()
        inputs = Inputs(["none", "no*.x", "in/a.x"], "", (".x", ".y"), Path("out"))
        assert [one.target for one in inputs] == ["a.x"]
        assert inputs.remarks == ["none holds none of .x, .y", "no*.x holds none of .x, .y"]

    def test_results_in_the_inputs_folder_are_no_inputs(self, tree):
        before = found("in", out="in/out")
        for name in ("in/out/a.x", "in/out/sub/c.x", "in/out/.aeplug/w.x"):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).touch()
        assert found("in", out="in/out") == before
        assert found("in", out=str(tree / "in" / "sub" / ".." / "out")) == before
        assert found("in/**/*", out="in/out") == before
        os.symlink("in/out", tree / "link")
        assert found("in", out="link") == before

    def test_the_folder_of_results_itself_is_refused(self, tree):
        with pytest.raises(ConfigError, match="would replace the inputs"):
            found("in", out="in")
        os.symlink("in", tree / "link")
        with pytest.raises(ConfigError, match="would replace the inputs"):
            found("in", out="link")

    def test_links_to_files_are_followed_and_links_to_folders_are_not(self, tree):
        os.symlink(tree / "e.x", tree / "in" / "link.x")
        os.symlink(tree / "in", tree / "in" / "loop")
        assert ("in/link.x", "link.x") in found("in")
        assert len(found("in")) == 5

    def test_what_lies_in_the_folder_of_results_is_known(self, tree):
        os.symlink(tree / "out" / "r.x", tree / "in" / "link.x")
        (tree / "out").mkdir()
        (tree / "out" / "r.x").touch()
        inside = {
            one.target: one.inside for one in Inputs(["in", "out/r.x"], "", (".x",), Path("out"))
        }
        assert inside == {
            "a.x": False,
            "b.x": False,
            "link.x": True,
            "sub/c.X": False,
            "sub/deep/d.x": False,
            "r.x": True,
        }

    def test_folder_that_cannot_be_listed(self, tree, monkeypatch):
        list_one = os.scandir

        def refuse(path):
            if path.endswith("sub"):
                raise PermissionError(13, "Permission denied", path)
            return list_one(path)

        monkeypatch.setattr("aeplug.jobs.inputs.os.scandir", refuse)
        reason = "in/sub: folder cannot be listed: Permission denied"
        with pytest.raises(FileError, match=reason):
            found("in")
        inputs = Inputs(["in", "in/sub"], "", (".x",), Path("out"), skip_unlisted=True)
        for _ in range(2):
            assert [one.target for one in inputs] == ["a.x", "b.x"]
            assert inputs.unlisted == [("in/sub", reason)] * 2
            assert inputs.remarks == []

    def test_an_empty_name_is_not_the_current_folder(self, tree):
        with pytest.raises(FileError, match="an empty name is no file"):
            found("in", "")

    def test_what_is_no_regular_file(self, tree):
        os.mkfifo(tree / "f.x")
        os.symlink("f.x", tree / "link.x")
        for name in ("f.x", "link.x", os.devnull):
            with pytest.raises(FileError, match=f"{name} is no regular file"):
                require_regular(Path(name))
        with pytest.raises(FileError, match="in is a folder, expected a file"):
            require_regular(Path("in"))
        os.symlink("e.x", tree / "good.x")
        for name in ("e.x", "good.x", "missing.x"):
            require_regular(Path(name))


class TestLists:
    def test_relative_names_keep_their_folders_and_others_do_not(self, tree):
        lines = ["in/sub/c.X", "./in/a.x", str(tree / "e.x"), "in/../e.x", "", "in/sub", "gone.x"]
        (tree / "list").write_text("\n".join(lines) + "\r\n")
        assert found("in/b.x", manifest="list") == [
            ("in/b.x", "b.x"),
            ("in/sub/c.X", "in/sub/c.X"),
            ("./in/a.x", "in/a.x"),
            (str(tree / "e.x"), "e.x"),
            ("in/../e.x", "e.x"),
            ("in/sub/c.X", "in/sub/c.X"),
            ("in/sub/deep/d.x", "in/sub/deep/d.x"),
            ("gone.x", "gone.x"),
        ]

    def test_names_above_the_current_folder_lose_their_folders(self, tree, monkeypatch):
        monkeypatch.chdir(tree / "in")
        (tree / "list").write_text("../in/a.x\n../in/sub\n")
        assert [place for _, place in found(manifest="../list")] == ["a.x", "c.X", "deep/d.x"]

    @pytest.mark.parametrize("how", ["-", "--from"])
    def test_stdin(self, tree, monkeypatch, how):
        class Stdin:
            buffer = io.BytesIO(b"in/a.x\nin/b.x")

        monkeypatch.setattr("sys.stdin", Stdin)
        names = found("-") if how == "-" else found(manifest="-")
        assert [place for _, place in names] == ["in/a.x", "in/b.x"]

    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_the_mark_with_which_some_editors_begin_is_no_part_of_a_name(self, tree, end):
        (tree / "list").write_text(end.join(["in/a.x", "e.x"]), encoding="utf-8-sig")
        assert found(manifest="list") == [("in/a.x", "in/a.x"), ("e.x", "e.x")]

    def test_a_late_nul_is_part_of_a_name_that_no_file_has(self, tree):
        (tree / "list").write_bytes(b"in/a.x\n" * 10_000 + b"in\0b.x\n")
        assert found(manifest="list")[-1] == ("in\0b.x", "in\0b.x")

    def test_missing_list(self, tree):
        with pytest.raises(FileError, match="no-list: No such file"):
            found(manifest="no-list")

    @given(
        names=st.lists(
            st.binary(min_size=1, max_size=300).filter(
                lambda name: b"\0" not in name and b"/" not in name and name not in (b".", b"..")
            ),
            min_size=1,
            max_size=30,
        )
    )
    def test_names_separated_by_nul_may_hold_anything(self, tmp_path_factory, names):
        folder = tmp_path_factory.mktemp("list")
        (folder / "list").write_bytes(b"\0".join(names) + b"\0")
        inputs = Inputs([], str(folder / "list"), (".x",), folder / "out")
        assert [os.fsencode(one.path) for one in inputs] == names

    def test_a_long_list_is_not_held(self, tmp_path):
        import tracemalloc

        with (tmp_path / "list").open("w") as file:
            file.writelines(f"some/folder/with/a/name/{number}.x\n" for number in range(30_000))
        inputs = Inputs([], str(tmp_path / "list"), (".x",), tmp_path / "out")
        tracemalloc.start()
        assert sum(1 for _ in inputs) == 30_000
        assert tracemalloc.get_traced_memory()[1] < 500_000
        tracemalloc.stop()


class TestTargets:
    def test_the_first_of_one_name_gets_it_and_the_next_are_numbered(self):
        targets = Targets()
        given_to = [
            targets.assign(source, place, ".png")
            for source, place in (
                ("x/a.png", "a.png"),
                ("y/a.gif", "a.gif"),
                ("z/a.png", "a.png"),
                ("x/a-2.png", "a-2.png"),
                ("x/v1.5.png", "s/v1.5.png"),
            )
        ]
        assert given_to == ["a.png", "a-2.png", "a-3.png", "a-2-2.png", "s/v1.5.png"]

    def test_an_input_that_has_a_results_name_keeps_it(self):
        targets = Targets()
        files = [("a.gif", ".png"), ("b.gif", ".png"), ("a-2.png", ".png"), ("A.PNG", ".png")]
        files += [("a.png", ".png"), ("a.jpg", ".jpg")]
        for name, suffix in files:
            targets.reserve(f"in/{name}", name, suffix)
        for _ in range(2):  # the same again
            targets.restart()
            given_to = [targets.assign(f"in/{name}", name, suffix) for name, suffix in files]
            assert given_to == ["a-3.png", "b.png", "a-2.png", "A.png", "a.png", "a.jpg"]

    def test_an_input_named_twice_is_done_once(self):
        targets = Targets()
        assert targets.assign("x/a.png", "a.png", ".png") == "a.png"
        assert targets.assign("y/a.png", "a.png", ".png") == "a-2.png"
        assert targets.assign("./x/../x/a.png", "a.png", ".png") is None
        assert targets.assign("y/a.png", "a.png", ".png") is None

    @given(st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from(["a", "a-2", "a-3", "b"]))))
    def test_names_are_unique_and_the_same_again(self, files):
        def names():
            targets = Targets()
            return [
                targets.assign(f"{folder}/{name}.x", f"{name}.x", ".x") for folder, name in files
            ]

        given_to = [name for name in names() if name is not None]
        assert len(given_to) == len(set(given_to)) == len(set(files))
        assert names() == names()


class TestResults:
    def test_what_others_left_stays_unless_overwrite(self, tmp_path):
        (tmp_path / "a.x").touch()
        (tmp_path / "d.x").mkdir()
        results = Results(tmp_path, overwrite=False)
        results.check("new.x", owned=False)
        results.check("new/new.x", owned=False)
        results.check("a.x", owned=True)
        with pytest.raises(
            FileError, match=r"a\.x is there, and not of this job; give --overwrite"
        ):
            results.check("a.x", owned=False)
        Results(tmp_path, overwrite=True).check("a.x", owned=False)
        with pytest.raises(FileError, match="is a folder"):
            Results(tmp_path, overwrite=True).check("d.x", owned=False)

    def test_inputs_stay_even_with_overwrite(self, tmp_path):
        for name in ("a.x", "b.x"):
            (tmp_path / name).touch()
        os.link(tmp_path / "a.x", tmp_path / "hard.x")
        results = Results(tmp_path, overwrite=True)
        results.protect(str(tmp_path / "a.x"), "other.x")
        for place in ("a.x", "hard.x"):
            with pytest.raises(FileError, match="is an input, and inputs are never replaced"):
                results.check(place, owned=True)
        results.check("b.x", owned=False)
        with pytest.raises(ConfigError, match="would replace the input a"):
            results.protect(str(tmp_path / "a.x"), "a.x")

    def test_what_the_system_refuses_is_one_results_reason(self, tmp_path, monkeypatch):
        results = Results(tmp_path, overwrite=False)
        with pytest.raises(FileError, match=r" \.\.\. x{16}\.png: File name too long$") as error:
            results.check("x" * 5000 + ".png", owned=False)
        assert len(str(error.value)) < 130
        with pytest.raises(FileError, match="null"):
            results.check("a\0b.x", owned=False)

        def refuse(path):
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr("aeplug.jobs.outputs.os.lstat", refuse)
        with pytest.raises(FileError, match=r"sub/a\.x: Permission denied"):
            results.check("sub/a.x", owned=False)

    def test_nothing_is_written_out_of_the_folder_through_a_link(self, tmp_path):
        (tmp_path / "in").mkdir()
        (tmp_path / "out").mkdir()
        os.symlink(tmp_path / "in", tmp_path / "out" / "sub")
        with pytest.raises(FileError, match=r"would lie outside of .*out, through a link"):
            Results(tmp_path / "out", overwrite=True).check("sub/a.x", owned=True)


class TestFigures:
    """A sheet that an earlier command drew beside its results is none of the items."""

    @pytest.fixture
    def samples(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        for number in range(3):
            path = tmp_path / "samples" / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.new("L", (4, 4)).save(path)
        write_sheet(Image.new("L", (4, 4)), tmp_path / "samples" / "sheet.png")
        return tmp_path / "samples"

    @pytest.mark.parametrize(
        "arguments", [["samples"], ["samples/*.png"], ["samples/**"], ["samples/0.png", "samples"]]
    )
    def test_is_left_out_with_a_line(self, samples, arguments):
        inputs = Inputs(arguments, "", (".png",), Path("out"))
        for _ in range(2):
            names = {Path(entry.path).name for entry in inputs}
            assert names == {"0.png", "1.png", "2.png"}
            assert inputs.remarks == ["left out, being figures that aeplug drew: samples/sheet.png"]

    def test_is_left_out_of_lists_and_of_names_that_a_shell_has_put_in(self, samples, tmp_path):
        names = sorted(str(path) for path in samples.iterdir())
        (tmp_path / "list").write_text("\n".join(names))
        for inputs in (
            Inputs(names, "", (".png",), Path("out")),
            Inputs([], str(tmp_path / "list"), (".png",), Path("out")),
        ):
            assert len(list(inputs)) == 3 and len(inputs.remarks) == 1

    def test_is_taken_where_it_is_all_that_is_named(self, samples):
        inputs = Inputs(["samples/sheet.png"], "", (".png",), Path("out"))
        assert [entry.target for entry in inputs] == ["sheet.png"] and inputs.remarks == []
