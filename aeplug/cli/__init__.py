"""The ``aeplug`` command: thin commands over the engine, and what commands of plug-ins need.

A plug-in's command imports from here alone: shared options, the model that is named, results on
stdout and what is said on stderr. Nothing here imports torch until it is called.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from aeplug._exports import lazy_exports

if TYPE_CHECKING:
    from aeplug.cli.export import empty_folder
    from aeplug.cli.options import (
        FiniteRange,
        change_option,
        checkpoint_option,
        common_options,
        conditions_of,
        data_option,
        device_option,
        drawing_options,
        inputs_of,
        length_of,
        manifest_option,
        numbers_of,
        open_model,
        overwrite_option,
        prior_option,
        sampling_of,
        split_option,
    )
    from aeplug.cli.output import (
        failure_logger,
        print_figures,
        print_json,
        print_table,
        report_job,
    )
    from aeplug.cli.plugin_options import VerbCommand, resolve_options

__all__ = [
    "FiniteRange",
    "VerbCommand",
    "change_option",
    "checkpoint_option",
    "common_options",
    "conditions_of",
    "data_option",
    "device_option",
    "drawing_options",
    "empty_folder",
    "failure_logger",
    "inputs_of",
    "length_of",
    "main",
    "manifest_option",
    "numbers_of",
    "open_model",
    "overwrite_option",
    "print_figures",
    "print_json",
    "print_table",
    "prior_option",
    "report_job",
    "resolve_options",
    "sampling_of",
    "split_option",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "export": "empty_folder",
        "options": "FiniteRange change_option checkpoint_option common_options conditions_of"
        " data_option device_option drawing_options inputs_of length_of manifest_option"
        " numbers_of open_model overwrite_option prior_option sampling_of split_option",
        "output": "failure_logger print_figures print_json print_table report_job",
        "plugin_options": "VerbCommand resolve_options",
    },
)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; ends the process with its exit code."""
    try:
        # Here, so that Ctrl-C in the time these imports take is met like any other.
        from aeplug.cli.program import main as run

        run(arguments)
    except KeyboardInterrupt:
        sys.exit(130)
