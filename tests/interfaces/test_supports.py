"""How the engine asks what a part can do, and that it asks in no other way."""

from __future__ import annotations

import ast
import doctest
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import ROOT

from aeplug.data.opening import data_shape
from aeplug.interfaces import (
    CAPABILITIES,
    Adversarial,
    AnySizeEncoder,
    DataShape,
    InputGradientLatent,
    StreamingCodec,
    supports,
)
from aeplug.interfaces.capabilities import members, own_members
from aeplug.latents.adversarial import AdversarialLatent
from aeplug.latents.gaussian import DeterministicLatent

ALL = sorted({c for kind in CAPABILITIES.values() for c in kind}, key=lambda c: c.__name__)


class TestSupports:
    def test_a_flag_takes_the_claim_back(self):
        config = DeterministicLatent.Config
        plain, contractive = (
            DeterministicLatent(config(contractive=weight), (8,)) for weight in (0.0, 0.1)
        )
        assert supports(contractive, InputGradientLatent)
        assert not supports(plain, InputGradientLatent)

    def test_all_members_are_needed(self):
        class Half:
            def chunks(self, document):
                yield {}

        assert not supports(Half(), StreamingCodec)

    def test_a_critic_among_the_submodules_is_seen(self):
        part = AdversarialLatent(AdversarialLatent.Config(size=2), (8,))
        assert supports(part, Adversarial)
        assert not supports(part, AnySizeEncoder)

    def test_nothing_need_be_inherited(self):
        class Sized:
            features_shape = (1,)
            any_size = True

        assert supports(Sized(), AnySizeEncoder)
        assert own_members(AnySizeEncoder) == ("any_size",)
        assert set(members(AnySizeEncoder)) == {"any_size", "features_shape"}


@pytest.mark.parametrize("capability", ALL)
def test_the_example_of_a_capability_has_it(capability):
    source = "\n".join(
        example.source
        for example in doctest.DocTestParser().get_examples(capability.__doc__)
        if example.source.startswith("class ")
    )
    (example,) = ast.parse(source).body
    claimed = {
        node.name if isinstance(node, ast.FunctionDef) else ast.unparse(node.targets[0])
        for node in ast.walk(example)
        if isinstance(node, (ast.FunctionDef, ast.Assign))
    }
    assert set(own_members(capability)) <= {name.removeprefix("self.") for name in claimed}


def test_shape_of_a_preparation_wins_over_the_data_sets():
    class Halved:
        shape = DataShape((2,), (4,))

        def __call__(self, raw, generator, training):
            raise NotImplementedError

    class Data:
        shape = DataShape((4,), (4,))

    assert data_shape(Halved(), Data()) == Halved.shape
    assert data_shape(lambda raw, generator, training: None, Data()) == Data.shape


#: Attributes of things that are no parts, and so may be looked up by name.
OF_OTHERS = {
    "__file__": "modules of namespace packages have none",
    "__name__": "not every annotation is a class",
    "__array__": "arrays of any library",
    "NoArgsIsHelpError": "click from 8.2 on",
    "ctx": "an error of click",
    "SIGHUP": "not on Windows",
    "allow_rnn": "an option of newer torch",
    "lt": "a limit of pydantic",
    "min_length": "a limit of pydantic",
    "max_length": "a limit of pydantic",
    "n_frames": "a picture of Pillow",
    "pitches": "a note of music21; percussion has none",
    "scores": "a book of tunes of music21",
    "tag_v2": "a picture of Pillow",
}


def calls(function: str) -> Iterator[tuple[str, ast.Call]]:
    """Calls of a built-in function in engine and plug-ins, each with its place."""
    for folder in ("aeplug", "plugins"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
                if named and node.func.id == function:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


@pytest.mark.skipif(not Path(ROOT / "plugins").is_dir(), reason="needs the checkout")
def test_no_part_is_asked_by_the_name_of_an_attribute():
    found = {
        place: call.args[1].value
        for function in ("getattr", "hasattr")
        for place, call in calls(function)
        if isinstance(call.args[1], ast.Constant)
    }
    assert not {place: name for place, name in found.items() if name not in OF_OTHERS}
    assert set(OF_OTHERS) == set(found.values()), "an exception that nobody needs"


@pytest.mark.skipif(not Path(ROOT / "plugins").is_dir(), reason="needs the checkout")
def test_a_capability_is_asked_for_by_supports_alone():
    names = {capability.__name__ for capability in ALL}
    asked = {
        place: name
        for place, call in calls("isinstance")
        for name in {n.id for n in ast.walk(call.args[1]) if isinstance(n, ast.Name)} & names
    }
    assert not asked
