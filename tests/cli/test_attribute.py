"""``aeplug attribute``, grids of ``interpolate`` and noise of ``vary`` as a user meets them."""

from __future__ import annotations

import json

import numpy as np
import pretty_midi
import pytest
from PIL import Image
from support import assert_one_line_error, one_object


@pytest.fixture
def digit(tmp_path):
    """A file with an oblique stroke, and the folder it lies in."""
    pixels = np.zeros((28, 28), np.uint8)
    for row in range(5, 23):
        pixels[row, 17 - row // 4 : 20 - row // 4] = 255
    Image.fromarray(pixels).save(tmp_path / "one.png")
    return tmp_path / "one.png"


class TestAttribute:
    def test_list(self, invoke):
        result = invoke("attribute", "mnist-vae", "--list")
        assert result.code == 0 and "slant" in result.out and "degrees" in result.out
        found = one_object(invoke("attribute", "melody-2bar", "--list", "--json").out)
        assert "note-density" in [one["name"] for one in found["attributes"]]

    def test_files_a_strip_and_what_is_kept(self, invoke, digit, tmp_path):
        kept = tmp_path / "slant.safetensors"
        command = ["attribute", "mnist-vae", "slant", digit, "--by", "1,-1", "--items", 300]
        result = invoke(*command, "--keep", "none", "--save", kept, "--out", tmp_path / "o")
        assert result.code == 0, result.err
        assert sorted(path.name for path in (tmp_path / "o").iterdir()) == [
            "attribute.png",
            "one-slant+1.png",
            "one-slant-1.png",
        ]
        assert "one-slant+1: moved by +" in result.err
        again = invoke("attribute", "mnist-vae", kept, digit, "--keep", "none", "--by", -1,
                       "--out", tmp_path / "p")  # fmt: skip
        assert again.code == 0, again.err
        name = "one-slant-1.png"
        assert (tmp_path / "o" / name).read_bytes() == (tmp_path / "p" / name).read_bytes()

    def test_nothing_else_is_replaced_by_what_is_kept(self, invoke, tmp_path):
        for name, reason in (("x.pt", "ends in .safetensors"), ("x.safetensors", "no direction")):
            mine = tmp_path / name
            mine.write_bytes(b"mine")
            result = invoke("attribute", "mnist-vae", "slant", "--save", mine)
            assert result.code == 1
            assert_one_line_error(result.err, f"--save {mine}", reason)
            assert mine.read_bytes() == b"mine"
        kept, command = tmp_path / "s.safetensors", ["attribute", "mnist-vae", "--items", 64]
        for attribute in ("slant", "thickness"):
            assert invoke(*command, attribute, "--save", kept).code == 0

    def test_classes_and_folders(self, invoke, digit, tmp_path):
        result = invoke("attribute", "mnist-vae", "label=0:1", digit, "--items", 200,
                        "--out", tmp_path / "o")  # fmt: skip
        assert result.code == 0, result.err
        assert "label=0:1: 1000 and 1000 examples, " in result.err
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
        Image.open(digit).save(tmp_path / "a" / "x.png")
        Image.fromarray(np.full((28, 28), 60, np.uint8)).save(tmp_path / "b" / "x.png")
        result = invoke("attribute", "mnist-vae", "--from", tmp_path / "a", "--to", tmp_path / "b",
                        digit, "--items", 200, "--out", tmp_path / "p")  # fmt: skip
        assert result.code == 0, result.err
        assert "a:b: 1 and 1 examples" in result.err
        (tmp_path / "c").mkdir()
        result = invoke("attribute", "mnist-vae", "--from", tmp_path / "a", "--to", tmp_path / "c",
                        digit, "--out", tmp_path / "q")  # fmt: skip
        assert_one_line_error(result.err, f"{tmp_path / 'c'} holds none of .png, ")

    def test_check(self, invoke):
        command = ["attribute", "mnist", "slant", "--items", 500, "--check", "--check-items", 12]
        found = one_object(invoke(*command, "--by", 1, "--json").out)
        assert found["items"] == 12 and found["unit"] == "degrees"
        figures = found["amounts"]["1"]
        assert figures["right_way"] >= 0.9
        others = [one for name, one in figures["moved"].items() if name != "slant"]
        assert all(one["share"] < 1 / 3 for one in others)

    def test_density_of_melodies(self, invoke):
        command = ["attribute", "melody-2bar", "note-density", "--items", 400, "--check"]
        found = one_object(invoke(*command, "--check-items", 6, "--by", -1, "--json").out)
        figures = found["amounts"]["-1"]
        assert figures["right_way"] >= 0.6 and figures["moved"]["note-density"]["mean"] < -0.3

    @pytest.mark.parametrize(
        ("arguments", "parts"),
        [
            (["mnist-vae", "slent", "IN"], ["no attribute 'slent'. Did you mean 'slant'"]),
            (["mnist-vae", "3:x", "IN"], ["no item of the 55000 has label 'x'"]),
            (["mnist-vae", "lable=3:8", "IN"], ["no label 'lable'. Did you mean 'label'"]),
            (["mnist-vae", "3:3", "IN"], ["expected two classes"]),
            (["mnist-vae", "slant", "IN", "--by", "x"], ["--by x: expected numbers"]),
            (["mnist-vae", "slant", "IN", "--items", "64", "--keep", "x"], ["no other attribute"]),
            (["melody-2bar", "mean-interval", "NOTE"], ["'mean-interval' is undefined for it"]),
            (["mnist-vae", "--from", "a", "IN"], ["--from and --to go together"]),
            (["mnist-vae"], ["expected NAME, or --from and --to"]),
            (["mnist-vae", "slant"], ["expected files to steer, --check or --save"]),
            (["denoise", "slant", "IN"], ["'denoise' has no attribute 'slant'"]),
            (["denoise", "3:8", "IN"], ["'denoise' has no embedding"]),
            (["mnist-vae", "slant", "IN", "./IN"], ["would have the same name"]),
        ],
        ids=lambda value: " ".join(value)[:50],
    )
    def test_errors_are_one_line(self, invoke, arguments, parts, digit, tmp_path):
        tune = pretty_midi.PrettyMIDI()
        tune.instruments.append(pretty_midi.Instrument(0))
        tune.instruments[0].notes.append(pretty_midi.Note(80, 60, 0.0, 4.0))
        tune.write(str(tmp_path / "note.mid"))
        given = {"IN": digit, "NOTE": tmp_path / "note.mid"}
        given["./IN"] = f"{digit.parent}/../{digit.parent.name}/{digit.name}"
        words = [given.get(one, one) for one in arguments]
        few = [] if "--items" in words else ["--items", 64]
        result = invoke("attribute", *words, *few, "--out", tmp_path / "o")
        assert result.code in (1, 2)
        assert_one_line_error(result.err, *parts)
        assert not (tmp_path / "o").exists()


class TestGridAndNoise:
    def test_four_files_make_a_grid(self, invoke, trained, tmp_path, tiny_file):
        files = [tiny_file(name, [[n * 60, 9, 9, 9]]) for n, name in enumerate("abcd")]
        result = invoke("interpolate", trained, *files, "--steps", 3, "--out", tmp_path / "o")
        assert result.code == 0, result.err
        names = sorted(path.stem for path in (tmp_path / "o").glob("row-*.tiny"))
        assert names[0] == "row-01-column-01" and len(names) == 9
        result = invoke("interpolate", trained, *files[:3], "--out", tmp_path / "p")
        assert result.code == 2
        assert_one_line_error(result.err, "2 files are the ends of a line, 4 the corners", "got 3")

    def test_noise_without_a_prior(self, invoke, trained_plain, tmp_path, tiny_file):
        command = ["vary", trained_plain, tiny_file("a"), "-n", 2, "--sigma", "0,0.5"]
        result = invoke(*command, "--out", tmp_path / "o")
        assert result.code == 0, result.err
        assert len(list((tmp_path / "o").glob("a-sigma-0.5-*.tiny"))) == 2
        still = [json.loads(path.read_text()) for path in (tmp_path / "o").glob("a-sigma-0-*")]
        assert still[0] == still[1]
        result = invoke(*command, "--similarity", 0.5, "--out", tmp_path / "o")
        assert_one_line_error(result.err, "--sigma and --similarity exclude each other")
        result = invoke(*command[:-1], "-1", "--out", tmp_path / "o")
        assert_one_line_error(result.err, "--sigma -1: expected numbers of at least 0")

    def test_strengths_written_alike_are_one(self, invoke, trained_plain, tmp_path, tiny_file):
        command = ["vary", trained_plain, tiny_file("a"), "-n", 1, "--out", tmp_path / "o"]
        result = invoke(*command, "--sigma", "0.1,0.10000001,0,-0")
        assert result.code == 0, result.err
        names = {path.name for path in (tmp_path / "o").glob("*.tiny")}
        assert names == {"a-sigma-0.1-01.tiny", "a-sigma-0-01.tiny"}
        assert "wrote 2 files" in result.err

    def test_noise_beyond_numbers_is_refused(self, invoke, digit, tmp_path):
        result = invoke("vary", "mnist", digit, "--sigma", "0,1e39", "--out", tmp_path / "o")
        assert result.code == 1
        assert_one_line_error(result.err, "sigma 1e+39", "not finite")
        assert not (tmp_path / "o").exists()

    def test_without_a_prior_noise_is_advised(self, invoke, digit, tmp_path):
        result = invoke("vary", "mnist", digit, "--out", tmp_path / "o")
        assert_one_line_error(result.err, "'mnist' cannot vary", "vary --sigma")

    @pytest.mark.parametrize(
        ("command", "page"),
        [
            (["vary", "mnist", "IN", "--sigma", "1", "-n", "1"], "variations.png"),
            (["interpolate", "mnist", "IN", "IN", "--steps", "2"], "interpolation.png"),
            (["attribute", "mnist", "slant", "IN", "--items", "64"], "attribute.png"),
        ],
        ids=lambda value: value if isinstance(value, str) else value[0],
    )
    def test_the_sheet_is_never_drawn_over_an_input(self, invoke, digit, tmp_path, command, page):
        mine = digit.rename(tmp_path / page)
        before = mine.read_bytes()
        words = [str(mine) if one == "IN" else one for one in command]
        result = invoke(*words, "--out", tmp_path)
        assert result.code == 1
        assert_one_line_error(result.err, f"would replace the input {page}")
        assert mine.read_bytes() == before and list(tmp_path.iterdir()) == [mine]
