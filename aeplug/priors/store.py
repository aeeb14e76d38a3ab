"""Fitted priors on disk: in a checkpoint's folder, else in the user's cache.

A prior is a file ``prior-KIND-DIGEST.safetensors``; an index, a checkpoint's ``config.json`` or the
cache's ``priors.json``, names it under ``priors`` with its checksum. The file is written first and
the index replaced after it, so that a kill leaves the priors as they were before or after.

Weights that came with a plug-in are nobody's to write to: their priors lie in the cache
(``$AEPLUG_CACHE``, ``$XDG_CACHE_HOME/aeplug`` or ``~/.cache/aeplug``), by the weights' checksum.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load
from safetensors.torch import save as serialize_tensors

from aeplug.errors import CheckpointError
from aeplug.interfaces import StoredPrior
from aeplug.model import checkpoint
from aeplug.model.model import Model
from aeplug.plugins import Plugins
from aeplug.plugins.specs import PriorSpec, load_attribute
from aeplug.runtime.console import say
from aeplug.runtime.files import atomic_write

CACHE_VARIABLE = "AEPLUG_CACHE"
#: Key of an index under which priors stand, and the cache's index.
PRIORS, INDEX = "priors", "priors.json"


def serialize(prior: StoredPrior) -> tuple[dict[str, Any], str, bytes]:
    """A prior as its entry in an index, the name of its file, and the file's content."""
    tensors = {name: value.cpu().contiguous() for name, value in prior.tensors().items()}
    content = serialize_tensors(tensors)
    digest = hashlib.sha256(content).hexdigest()
    name = f"prior-{prior.kind}-{digest[:12]}.safetensors"
    return {"file": name, "sha256": digest, **prior.entry}, name, content


def deserialize(model: Model, spec: PriorSpec, folder: Path, entry: Mapping[str, Any]) -> Any:
    """The prior of an entry, on the model's device.

    Raises:
        CheckpointError: its file is missing, damaged, altered, or of another latent.
    """
    assert spec.restore is not None
    try:
        path = folder / Path(entry["file"]).name
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if digest != entry["sha256"]:
            raise CheckpointError(
                f"{path} is damaged or was altered: its sha256 is {digest[:16]}..., expected "
                f"{entry['sha256'][:16]}...; {spec.hint}"
            )
        tensors = {name: value.to(model.device) for name, value in load(content).items()}
        rest = {name: value for name, value in entry.items() if name not in ("file", "sha256")}
        prior = load_attribute(spec.restore)({"kind": spec.name, **rest}, tensors)
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing; {spec.hint}") from None
    except (
        *(OSError, SafetensorError),
        *(KeyError, TypeError, AttributeError, ValueError, RuntimeError, IndexError),
    ) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(
            f"prior '{spec.name}' in {folder} cannot be read: {reason}; {spec.hint}"
        ) from error
    if prior.size != model.latent_size:
        raise CheckpointError(
            f"{path} is of latents of {prior.size}, not {model.latent_size}; {spec.hint}"
        )
    return prior


def find(model: Model, spec: PriorSpec) -> Any:
    """The prior of a model's checkpoint, else of the cache; None where neither has it.

    Raises:
        CheckpointError: the checkpoint's is damaged; one of the cache is passed over.
    """
    entry = model.header.get(PRIORS, {}).get(spec.name)
    if entry is not None and model.folder is not None:
        return deserialize(model, spec, model.folder, entry)
    folder = cache_folder(model)
    entry = _index(folder / INDEX).get(PRIORS, {}).get(spec.name) if folder else None
    if entry is None or folder is None:
        return None
    try:
        return deserialize(model, spec, folder, entry)
    except CheckpointError as error:
        say(f"passed over: {error}")
        return None


def save(model: Model, prior: StoredPrior, plugins: Mapping[str, str]) -> Path | None:
    """Keep a prior where the model's own checkpoint lies, or in the cache; the file, or None.

    It takes the place of one of its kind. ``plugins`` are name and origin of what brings it.
    """
    cached = cache_folder(model)
    if model.folder is not None and not _is_shipped(model):
        with contextlib.suppress(OSError, CheckpointError):
            return _store(model.folder / checkpoint.CONFIG, prior, model.header, plugins)
    if cached is not None:
        with contextlib.suppress(OSError):
            cached.mkdir(parents=True, exist_ok=True)
            return _store(cached / INDEX, prior, None, plugins)
    return None


def cache_folder(model: Model) -> Path | None:
    """Where priors of a model lie that cannot lie beside its weights; None without weights."""
    digest = model.header.get("weights_sha256")
    if not digest:
        return None
    root = os.environ.get(CACHE_VARIABLE) or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.join("~", ".cache"), "aeplug"
    )
    return Path(root).expanduser() / PRIORS / str(digest)[:32]


def list_tasks_with(name: str, model: Model, plugins: Plugins) -> list[str]:
    """Tasks whose weights ship with a prior of this name, of files such as the model's."""
    tasks = []
    for task in plugins.specs("task"):
        folder = checkpoint.shipped_weights(task) if task.codec == model.spec.codec else None
        if folder is not None and name in _index(folder / checkpoint.CONFIG).get(PRIORS, {}):
            tasks.append(task.name)
    return tasks


def _is_shipped(model: Model) -> bool:
    shipped = checkpoint.shipped_weights(model.spec)
    if shipped is None or model.folder is None:
        return False
    return shipped.resolve() == model.folder.resolve()


def _store(
    index: Path,
    prior: StoredPrior,
    header: Mapping[str, Any] | None,
    plugins: Mapping[str, str],
) -> Path:
    """Write a prior's file and name it in the index; the one it replaces is removed.

    Raises:
        CheckpointError: the checkpoint is no longer that of ``header``.
        OSError: it cannot be written.
    """
    entry, name, content = serialize(prior)
    atomic_write(index.parent / name, content)
    known = _index(index)
    if header is not None and known.get("weights_sha256") != header.get("weights_sha256"):
        (index.parent / name).unlink(missing_ok=True)
        raise CheckpointError(
            f"{index.parent} holds other weights by now than those the prior was fitted to"
        )
    before = known.get(PRIORS, {}).get(prior.kind, {}).get("file")
    known[PRIORS] = {**known.get(PRIORS, {}), prior.kind: entry}
    known["plugins"] = {**known.get("plugins", {}), **plugins}
    atomic_write(index, (json.dumps(known, indent=2) + "\n").encode())
    if before and before != name:
        with contextlib.suppress(OSError):
            (index.parent / Path(before).name).unlink()
    return index.parent / name


def _index(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
