"""What a plug-in costs everyone who starts the program, and whether it is loaded at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from aeplug.checks.isolation import Source
from aeplug.checks.outcome import CheckMismatch, CheckWarning, Skipped, expect
from aeplug.plugins import Plugin
from aeplug.plugins.manager import SLOW_IMPORT_SECONDS
from aeplug.plugins.validation import COLLECTED

#: Asked in an empty process: torch, and what else of a module's imports takes long.
PROGRAM = """
import importlib, importlib.util, json, sys, time
name, file, hooks = sys.argv[1], sys.argv[2], sys.argv[3:]
import aeplug.plugins.hookspecs
before = set(sys.modules)
began = time.perf_counter()
sys.stdout, stdout = sys.stderr, sys.stdout
if file:
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
else:
    module = importlib.import_module(name)
loaded = set(sys.modules) - before
for hook in hooks:
    function = getattr(module, hook, None)
    list(function() if function else ())
seconds = time.perf_counter() - began
called = set(sys.modules) - before - loaded
json.dump({"loaded": sorted(loaded), "called": sorted(called), "seconds": seconds}, stdout)
"""

SECONDS = 60


def check_loading(plugin: Plugin) -> str:
    """It was imported, its hooks are known and gave what they should."""
    expect(plugin.status == "ok", "the plug-in to be loaded", plugin.reason or plugin.status)
    brings = [f"{kind} {', '.join(names)}" for kind, names in plugin.provides.items()]
    return "; ".join([*brings, *(hook for hook in plugin.hooks if hook not in COLLECTED)])


def check_imports(plugin: Plugin, source: Source) -> str:
    """Importing it, and asking what it brings, imports no torch; a single file may.

    That is somebody's own, loaded only where its folder is named.
    """
    if not source.file:
        raise Skipped("the module has no file")
    single = Path(plugin.origin).suffix == ".py"
    imported = _in_an_empty_process(plugin, source, by_file=single)
    seconds = imported["seconds"]
    how = "import it inside the classes and functions that use it, or name them as module:attribute"
    for when, modules in (("on import", imported["loaded"]), ("in its hooks", imported["called"])):
        if "torch" in modules:
            if single:
                return f"{1000 * seconds:.0f} ms, torch with it, as a single file may"
            raise CheckMismatch(
                "a plug-in that imports no torch when it is loaded", f"torch {when}; {how}"
            )
    if seconds > SLOW_IMPORT_SECONDS:
        raise CheckWarning(
            f"a plug-in that is loaded within {SLOW_IMPORT_SECONDS:g} s, since everyone waits for "
            f"it at every command",
            f"{seconds:.1f} s",
        )
    return f"{1000 * seconds:.0f} ms, no torch"


def _in_an_empty_process(plugin: Plugin, source: Source, *, by_file: bool) -> dict[str, Any]:
    hooks = [hook for hook in plugin.hooks if hook in COLLECTED]
    path = os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, source.module, source.file if by_file else "", *hooks],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise CheckMismatch(
            "a plug-in that can be imported in an empty process",
            lines[-1] if lines else f"exit code {done.returncode}",
        )
    return json.loads(done.stdout)
