"""Settings and weights of a checkpoint under the plug-ins that are here now."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from aeplug.config import TaskConfig, flatten, resolve
from aeplug.errors import CheckpointError, ConfigError, PluginError
from aeplug.model.checkpoint import Checkpoint, MisfitError
from aeplug.plugins import Plugins
from aeplug.plugins.compatibility import differences
from aeplug.runtime.console import say


def config_of_checkpoint(source: Checkpoint, plugins: Plugins) -> TaskConfig:
    """A checkpoint's settings, with its parts looked up again.

    Where a plug-in here is older than the checkpoint's and yet fits, a line on stderr says so.

    Raises:
        CheckpointError: a plug-in it needs is not there, or of a version with other parts or
            settings; the message names what to install.
    """
    header = source.header
    with explain_misfit(source, plugins):
        task = plugins.task(header["task"])
        settings = {key: value for key, value in header["config"].items() if key != "task"}
        config = resolve(task, plugins, flatten(settings), defaults=False)
    for difference in differences(header, plugins):
        if difference.kind == "older":
            say(f"aeplug: warning: {source.folder}: {difference.text}")
    return config


@contextlib.contextmanager
def explain_misfit(source: Checkpoint, plugins: Plugins) -> Iterator[None]:
    """Let errors within say what to do, as far as plug-ins unlike the checkpoint's explain them.

    Raises:
        CheckpointError: in place of what was raised for a part, setting or weight that does not
            fit.
    """
    try:
        yield
    except (PluginError, ConfigError, MisfitError) as error:
        unlike = differences(source.header, plugins)
        missing = [difference.text for difference in unlike if difference.kind == "missing"]
        if missing:
            raise CheckpointError(
                f"{source.folder} cannot be loaded: {'; '.join(missing)}"
            ) from error
        text = str(error)
        if not isinstance(error, MisfitError):
            text = f"{source.folder} does not fit the plug-ins here: {error}"
        raise CheckpointError("; ".join([text, *(item.text for item in unlike)])) from error
