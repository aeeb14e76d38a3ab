"""Whether parts can do what they claim beyond their own protocols."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aeplug.checks.capable_codecs import CODEC_CHECKS
from aeplug.checks.capable_data import DATA_CHECKS
from aeplug.checks.capable_modules import MODULE_CHECKS
from aeplug.checks.outcome import brief, expect, expect_no_error
from aeplug.checks.subject import Subject
from aeplug.checks.workbench import Workbench
from aeplug.interfaces import CAPABILITIES, supports
from aeplug.interfaces.capabilities import flags, members, own_members

#: Capability -> ``(part, workbench)``, which raises where the part cannot do it.
CAPABILITY_CHECKS: Mapping[type, Callable[[Any, Workbench], None]] = {
    **MODULE_CHECKS,
    **DATA_CHECKS,
    **CODEC_CHECKS,
}


def check_capabilities(subject: Subject) -> str:
    """Every capability that a part of the task claims is whole, and works on the tiny batch."""
    with TemporaryDirectory(prefix="aeplug-check-") as folder:
        bench = Workbench(subject, Path(folder))
        claimed: list[str] = []
        for kind, part in bench.parts().items():
            for capability in CAPABILITIES[kind]:
                _check_members(f"the {kind}", part, capability)
                if supports(part, capability):
                    name = capability.__name__
                    with expect_no_error(f"what the {kind} claims as {_article(name)}"):
                        CAPABILITY_CHECKS[capability](part, bench)
                    claimed.append(f"{kind} {name}")
    return ", ".join(claimed) or "none claimed"


def _check_members(what: str, part: object, capability: type) -> None:
    """All members or none of its own; flags that are bools, methods that take what they get."""
    if not any(hasattr(part, name) for name in own_members(capability)):
        return
    claim = _article(capability.__name__)
    missing = [name for name in members(capability) if not hasattr(part, name)]
    expect(
        not missing,
        f"all of {', '.join(members(capability))} of {what}, {claim}",
        f"no {', '.join(missing)}",
    )
    for name in own_members(capability):
        value, declared = getattr(part, name), vars(capability).get(name)
        if name in flags(capability):
            expect(isinstance(value, bool), f"{name} of {what} to be True or False", brief(value))
        if inspect.isfunction(declared):
            names = list(inspect.signature(declared).parameters)[1:]
            expect(
                callable(value) and _takes(value, names),
                f"{what} to have {name}({', '.join(names)}), {claim}",
                f"{name}{inspect.signature(value)}" if callable(value) else brief(value),
            )


def _takes(method: Callable[..., Any], names: list[str]) -> bool:
    try:
        inspect.signature(method).bind(*names)
    except TypeError:
        return False
    except ValueError:  # it has no signature to look at
        return True
    return True


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"
