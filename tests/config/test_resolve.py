"""Settings: defaults, files, --set, and what is said about wrong ones."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aeplug.config import flatten, parse_assignments, read_settings, resolve
from aeplug.errors import AeplugError, ConfigError, PluginError

settings_of_tiny = st.fixed_dictionaries(
    {},
    optional={
        "latent": st.sampled_from(["gaussian", "deterministic", "tiny-code"]),
        "latent.size": st.integers(1, 64),
        "encoder": st.just("tiny"),
        "encoder.width": st.integers(1, 99),
        "encoder.dropout": st.floats(0, 0.99, allow_subnormal=False),
        "loss.beta": st.one_of(
            st.floats(-1e9, 1e9, allow_subnormal=False),
            st.builds(
                "{}({!r}, {!r}, {!r})".format,
                st.sampled_from(["linear", "cosine"]),
                st.floats(-5, 5, allow_subnormal=False),
                st.floats(-5, 5, allow_subnormal=False),
                st.floats(1e-3, 1e9, allow_subnormal=False),
            ),
        ),
        "data.items": st.integers(1, 10**9),
        "prepare.noise": st.floats(0, 1e9, allow_subnormal=False),
        "train.lr": st.floats(1e-30, 1e30, allow_subnormal=False),
        "train.seed": st.integers(0, 2**63 - 1),
        "train.compile": st.booleans(),
        "train.precision": st.sampled_from(["fp32", "bf16"]),
        "train.steps": st.integers(0, 2**40),
    },
)


@given(settings_of_tiny)
def test_settings_survive_config_json(plugins, layer):
    task = plugins.task("tiny-vae")
    config = resolve(task, plugins, layer)
    written = json.loads(json.dumps(config.as_dict(), allow_nan=False))
    again = resolve(
        task, plugins, flatten({k: v for k, v in written.items() if k != "task"}), defaults=False
    )
    assert again == config
    for key, value in layer.items():
        section, dot, field = key.partition(".")
        found = written[section][field] if dot else written[section]["name"]
        if not (dot and section == "loss"):
            assert found == value


@given(settings_of_tiny)
def test_dotted_keys_and_nested_sections_are_the_same(plugins, layer):
    task = plugins.task("tiny-vae")
    nested: dict = {}
    for key, value in layer.items():
        section, dot, field = key.partition(".")
        nested.setdefault(section, {})[field if dot else "name"] = value
    assert resolve(task, plugins, flatten(nested)) == resolve(task, plugins, layer)


@given(st.text(), st.text(min_size=1).filter(lambda key: "=" not in key and key.strip()))
def test_any_text_can_be_assigned(value, key):
    (found,) = parse_assignments([f"{key}={value}"]).items()
    assert found[0] == key.strip()
    assert isinstance(found[1], str | int | float | bool | list | dict | None)


def test_assignments_read_values_as_json_where_they_are():
    assert parse_assignments(
        [
            "a=1",
            "b=1e-3",
            "c=true",
            "d=True",
            "e=[1, 2]",
            "f=text",
            "g=x=y",
            "h=",
            "i=linear(0,1,5)",
        ]
    ) == {
        "a": 1,
        "b": 1e-3,
        "c": True,
        "d": True,
        "e": [1, 2],
        "f": "text",
        "g": "x=y",
        "h": "",
        "i": "linear(0,1,5)",
    }


@pytest.mark.parametrize("text", ["latent", "=5", " =5", ""])
def test_assignment_without_key_or_sign_says_what_is_expected(text):
    with pytest.raises(ConfigError, match="expected KEY=VALUE, as in latent=20"):
        parse_assignments([text])


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"latent.sise": 3}, "no setting is called 'latent.sise'. Did you mean 'latent.size'"),
        ({"sise": 3}, "no setting is called 'sise'"),
        ({"dropout": 0.5}, "Did you mean 'encoder.dropout'"),
        ({"latnt.size": 3}, "Did you mean 'latent'"),
        ({"train.learning_rate": 1}, "no setting is called 'train.learning_rate'"),
        ({"train.epoch": 1}, "Did you mean 'train.epochs'"),
        ({"epoch": 1}, "Did you mean 'epochs'"),
        ({"train": 3}, "'train' is a group of settings"),
        ({"codec": 3}, "'codec' expects the name of a part, got 3"),
        ({"latent.size": 0}, "latent.size=0: expected at least 1$"),
        ({"latent.size": "big"}, "latent.size=big: expected an integer$"),
        ({"latent.size": 2.5}, "latent.size=2.5: expected an integer$"),
        ({"latent.size": None}, "latent.size=null: expected an integer$"),
        ({"latent.size": [1]}, r"latent.size=\[1\]: expected an integer$"),
        ({"latent": True}, "latent.size=true: expected an integer$"),
        ({"train.lr": True}, "train.lr=true: expected a number$"),
        ({"train.steps": False}, "train.steps=false: expected an integer$"),
        ({"train.threads": 2}, "'train.threads'. Expected one of train.adversary_lr, train.batch"),
        ({"train.precision": "fp8"}, "train.precision=fp8: expected 'fp32' or 'bf16'$"),
        ({"train.lr": -1}, "train.lr=-1: expected more than 0"),
        ({"train.lr": float("inf")}, "train.lr=inf: expected a finite number$"),
        ({"train.lr": float("nan")}, "train.lr=nan"),
        ({"train.compile": "perhaps"}, "train.compile=perhaps: expected true or false$"),
        (
            {"loss.beta": "linear(0,1)"},
            r"loss.beta=linear\(0,1\): expected a number or one of .*inverse-sigmoid\(K\)$",
        ),
    ],
)
def test_wrong_settings_name_the_key_and_what_is_expected(plugins, layer, message):
    with pytest.raises(ConfigError, match=message) as caught:
        resolve(plugins.task("tiny-vae"), plugins, layer)
    assert "\n" not in str(caught.value)


def test_unknown_part_names_the_nearest(plugins):
    with pytest.raises(
        PluginError, match=r"no latent is called 'gausian'. Did you mean 'gaussian'"
    ):
        resolve(plugins.task("tiny-vae"), plugins, {"latent": "gausian"})


@given(st.text("abcdefghijklmnop._", min_size=1), st.one_of(st.none(), st.text(), st.integers()))
def test_any_key_and_value_is_accepted_or_refused_in_one_line(plugins, key, value):
    said = "accepted"
    try:
        resolve(plugins.task("tiny-vae"), plugins, {key: value})
    except AeplugError as error:
        said = str(error)
    assert said and "\n" not in said


def test_number_for_a_part_is_its_main_setting(plugins):
    task = plugins.task("tiny-vae")
    assert resolve(task, plugins, {"latent": 20}).sections["latent"].config.size == 20
    assert resolve(task, plugins, {"latent": 20}).sections["latent"].name == "gaussian"
    assert resolve(task, plugins, {"loss": 0.5}).sections["loss"].config.beta(0, 1) == 0.5


def test_choosing_a_part_and_its_main_setting_in_one_go_is_not_lost(plugins):
    layer = parse_assignments(["latent=deterministic", "latent.size=7"])
    section = resolve(plugins.task("tiny-vae"), plugins, layer).sections["latent"]
    assert (section.name, section.config.size) == ("deterministic", 7)


def test_the_same_key_twice_is_never_dropped_in_silence():
    with pytest.raises(ConfigError, match=r"latent.*twice"):
        parse_assignments(["latent=deterministic", "latent=7"])


def test_choosing_another_part_leaves_the_old_ones_settings_behind(plugins):
    task = plugins.task("tiny-vae")
    first = {"latent": "gaussian", "latent.size": 9}
    assert resolve(task, plugins, first).sections["latent"].config.size == 9
    section = resolve(task, plugins, first, {"latent": "deterministic"}).sections["latent"]
    assert (section.name, section.config.size) == ("deterministic", 32)


def test_later_layers_win_and_train_settings_need_no_prefix(plugins):
    config = resolve(plugins.task("tiny-vae"), plugins, {"epochs": 7, "lr": 0.5}, {"lr": 0.25})
    assert (config.train.epochs, config.train.lr) == (7, 0.25)
    assert config.train.batch_size == 16  # the task's own default


def test_defaults_of_the_task_are_left_out_on_request(plugins):
    config = resolve(plugins.task("tiny-vae"), plugins, defaults=False)
    assert config.train.batch_size == 256


def test_settings_are_fixed_once_resolved(plugins):
    config = resolve(plugins.task("tiny-vae"), plugins)
    with pytest.raises(Exception, match="frozen"):
        config.train.lr = 3.0


class TestFile:
    def test_nested_dotted_and_whole_checkpoint_headers(self, tmp_path):
        for content in (
            {"latent": {"name": "gaussian", "size": 3}, "train": {"lr": 0.5}},
            {"latent": "gaussian", "latent.size": 3, "train.lr": 0.5},
            {"task": "tiny", "latent": {"name": "gaussian", "size": 3}, "train": {"lr": 0.5}},
            {"format": 1, "config": {"latent": {"name": "gaussian", "size": 3}, "train.lr": 0.5}},
        ):
            path = tmp_path / "settings.json"
            path.write_text(json.dumps(content), encoding="utf-8")
            expected = {"latent": "gaussian", "latent.size": 3, "train.lr": 0.5}
            assert read_settings(path) == expected

    @pytest.mark.parametrize(
        ("content", "message"),
        [(b"{", "not JSON"), (b"[1]", "expected a JSON object"), (b"\xff\xfe", "cannot be read")],
    )
    def test_what_is_no_settings_file_is_named(self, tmp_path, content, message):
        path = tmp_path / "settings.json"
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=message) as caught:
            read_settings(path)
        assert str(path) in str(caught.value)

    def test_missing_file_is_named(self, tmp_path):
        with pytest.raises(ConfigError, match=r"nowhere.json: cannot be read"):
            read_settings(tmp_path / "nowhere.json")


def test_mnist_vae_short_form_of_the_manual(plugins):
    config = resolve(plugins.task("mnist-vae"), plugins, parse_assignments(["latent=20"]))
    assert config.sections["latent"].config.size == 20


def test_name_brought_by_two_plug_ins_is_an_error_that_names_both(tmp_path, capsys):
    from aeplug.plugins import Plugins

    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(
            "from aeplug import LossSpec, hookimpl\n"
            "@hookimpl\ndef aeplug_losses():\n    yield LossSpec('huber', 'math:pi')\n"
        )
    plugins = Plugins([tmp_path])
    with pytest.raises(PluginError, match=r"loss 'huber' is brought by 'one' .* and 'two'"):
        plugins.find("loss", "huber")
    assert capsys.readouterr().err.count("huber") == 1
