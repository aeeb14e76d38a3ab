"""The ``aeplug`` command: thin commands over the engine, and what commands of plug-ins need.

A plug-in's command imports from here alone: shared options, the model that is named, results on
stdout and what is said on stderr. Nothing here imports torch until it is called.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from aeplug.runtime.lazy import lazy_exports

if TYPE_CHECKING:
    from aeplug.cli.failures import LeftOut
    from aeplug.cli.options import (
        FiniteRange,
        change_option,
        checkpoint_option,
        common_options,
        data_option,
        device_option,
        drawing_options,
        fit_option,
        inputs_argument,
        json_option,
        list_input_names,
        manifest_option,
        model_argument,
        open_model,
        open_request,
        out_option,
        overwrite_option,
        prior_option,
        read_length,
        read_numbers,
        seed_option,
        split_option,
        task_argument,
    )
    from aeplug.cli.output import (
        print_figures,
        print_json,
        print_path,
        print_results,
        print_table,
        report_job,
        say_next,
    )
    from aeplug.cli.plugin_options import VerbCommand

__all__ = [
    "FiniteRange",
    "LeftOut",
    "VerbCommand",
    "change_option",
    "checkpoint_option",
    "common_options",
    "data_option",
    "device_option",
    "drawing_options",
    "fit_option",
    "inputs_argument",
    "json_option",
    "list_input_names",
    "main",
    "manifest_option",
    "model_argument",
    "open_model",
    "open_request",
    "out_option",
    "overwrite_option",
    "print_figures",
    "print_json",
    "print_path",
    "print_results",
    "print_table",
    "prior_option",
    "read_length",
    "read_numbers",
    "report_job",
    "say_next",
    "seed_option",
    "split_option",
    "task_argument",
]

__getattr__, __dir__ = lazy_exports(__name__)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; ends the process with its exit code.

    Example:
        >>> try:
        ...     main(["--version"])
        ... except SystemExit as end:
        ...     code = end.code
        aeplug, version ...
        >>> code
        0
    """
    try:
        # Here, so that Ctrl-C in the time these imports take is met like any other.
        from aeplug.cli.program import main as run

        run(arguments)
    except KeyboardInterrupt:
        sys.exit(130)
