"""What a plug-in must be to be used: its hook version, its hooks, and what they give."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import traceback
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pluggy

from aeplug._version import __version__
from aeplug.errors import AeplugError, PluginError, nearest
from aeplug.plugins import hookspecs
from aeplug.plugins.specs import (
    CodecSpec,
    DatasetSpec,
    DecoderSpec,
    EncoderSpec,
    LatentSpec,
    LossSpec,
    PriorSpec,
    TaskSpec,
)

#: Which hook brings which kind of spec.
COLLECTED: Mapping[str, type] = MappingProxyType(
    {
        "aeplug_encoders": EncoderSpec,
        "aeplug_latents": LatentSpec,
        "aeplug_decoders": DecoderSpec,
        "aeplug_losses": LossSpec,
        "aeplug_codecs": CodecSpec,
        "aeplug_datasets": DatasetSpec,
        "aeplug_priors": PriorSpec,
        "aeplug_tasks": TaskSpec,
    }
)
HOOKS = (*COLLECTED, "aeplug_commands", "aeplug_run_event")

#: More specs than this of one hook are a generator that does not end.
MOST_SPECS = 10_000

#: Fields of specs that name something.
TEXT_FIELDS = ("factory", "dataset", "encoder", "latent", "decoder", "loss", "codec")

#: What a plug-in's module may call the hook version that it needs.
NEEDED_VERSION = "aeplug_hook_version"


def hook_version(module: Any) -> int | None:
    """The hook version that a plug-in says it needs; None where it says nothing.

    Raises:
        PluginError: it is newer than this aeplug's, or not a whole number.
    """
    needed = getattr(module, NEEDED_VERSION, None)
    if needed is None:
        return None
    if not isinstance(needed, int) or isinstance(needed, bool) or needed < 1:
        raise PluginError(f"its {NEEDED_VERSION} is {needed!r}, expected a whole number from 1")
    if needed > hookspecs.HOOK_VERSION:
        raise PluginError(
            f"it needs hook version {needed}, aeplug {__version__} has {hookspecs.HOOK_VERSION}: "
            f"pip install --upgrade aeplug (docs/plugins/compatibility.md)"
        )
    return needed


def implemented_hooks(manager: pluggy.PluginManager, module: Any) -> list[str]:
    """Names of a module's hooks.

    Raises:
        PluginError: there is none, or a misspelt one, which pluggy would silently ignore.
    """
    hooks = []
    for name in dir(module):
        options = manager.parse_hookimpl_opts(module, name)
        if options is not None:
            hook = options.get("specname") or name
            if hook not in HOOKS and not options.get("optionalhook"):
                raise PluginError(f"there is no hook '{hook}'. {nearest(hook, HOOKS)}")
            hooks.append(hook)
        elif name.startswith("aeplug_") and callable(getattr(module, name)):
            raise PluginError(f"its function '{name}' lacks the decorator @hookimpl")
    if not hooks:
        raise PluginError("it implements no hook (functions aeplug_... under @hookimpl)")
    return hooks


def validate_specs(given: Any, hook: str, expected: type) -> list[Any]:
    """What a hook gave, as a list, if each is the spec it should be.

    Raises:
        PluginError: one is something else, has no name, or there is no end of them.
    """
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise PluginError(
            f"{hook} gave {type(given).__name__} {given!r:.60}, expected to yield "
            f"{expected.__name__}s or to return a list of them"
        )
    specs = list(itertools.islice(given, MOST_SPECS + 1))
    if len(specs) > MOST_SPECS:
        raise PluginError(f"{hook} gave more than {MOST_SPECS:,} specs; does it ever end?")
    for spec in specs:
        if not isinstance(spec, expected):
            raise PluginError(
                f"{hook} gave {type(spec).__name__} {spec!r:.60}, expected {expected.__name__}"
            )
        texts = (spec.name, spec.summary)  # type: ignore[attr-defined]
        if not texts[0] or not all(isinstance(text, str) for text in texts):
            raise PluginError(f"{hook} gave {expected.__name__} without name or summary: {texts}")
        _check_fields(spec, hook)
    return specs


def _check_fields(spec: Any, hook: str) -> None:
    """What is looked up and merged later is what it should be: there nobody knows whose it is."""
    wrong = [
        name
        for name in TEXT_FIELDS
        if hasattr(spec, name) and not isinstance(getattr(spec, name), str)
    ]
    if isinstance(spec, TaskSpec) and not isinstance(spec.settings, Mapping):
        wrong.append("settings")
    if wrong:
        expected = "a dict of dotted keys" if wrong[0] == "settings" else "a text"
        raise PluginError(
            f"{hook} gave {type(spec).__name__} '{spec.name}' whose {wrong[0]} is "
            f"{getattr(spec, wrong[0])!r:.60}, expected {expected}"
        )


@contextlib.contextmanager
def isolate_errors() -> Iterator[None]:
    """What a plug-in raises beside exceptions (a panic in Rust, ``pytest.skip``) becomes one.

    Raises:
        PluginError: in place of what is neither an exception nor an end of the program.
    """
    try:
        yield
    except (Exception, SystemExit, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        raise PluginError(reason_of(error)) from error


def reason_of(error: BaseException) -> str:
    """Why a plug-in is not used, in one line."""
    text = " ".join(str(error).split())
    if isinstance(error, AeplugError):
        return text
    reason = " ".join(f"{type(error).__name__}: {text}".split())
    if isinstance(error, ImportError) and (error.name or "").split(".")[0] == "aeplug":
        # It cannot say which version it needs: its import ends before.
        reason += f"; this is aeplug {__version__}, a newer one may have it: "
        reason += "pip install --upgrade aeplug (docs/plugins/compatibility.md)"
    return reason


def raised_at(error: BaseException) -> str:
    """``file:line`` of a plug-in's own code that raised; empty where the engine refused it."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    # Between the engine and the plug-in lie only these; what the plug-in calls lies deeper.
    between = (__file__, pluggy.__file__, importlib.__file__)
    passed = ("<frozen", *(str(Path(file).parent) for file in between if file))
    for frame in traceback.extract_tb(error.__traceback__):
        if not frame.filename.startswith(passed):
            return f"{frame.filename}:{frame.lineno}"
    return ""
