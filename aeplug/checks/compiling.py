"""Whether ``torch.compile`` captures each part whole."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from aeplug.checks.learning import schedule_values_at
from aeplug.checks.outcome import CheckMismatch, Skipped, describe_failure, expect
from aeplug.checks.subject import Subject
from aeplug.config import NAMED_ROLES
from aeplug.model.task import objective

#: Steps taken; the schedules stand at another value in each.
STEPS = 3


def check_compiling(subject: Subject) -> str:
    """Each part is one graph, the same at every value of a schedule, and computes the same.

    The graphs are run by torch as they are (the backend ``eager``): what is looked at is what
    can be captured, not how fast it would be.
    """
    _require_dynamo()
    batch = subject.batch(training=True)
    plain, compiled = subject.task(), subject.task()
    if plain.differentiates_input:
        raise Skipped("its latent part is differentiated twice, which the compiler cannot")
    captured: list[int] = []

    def backend(graph: torch.fx.GraphModule, inputs: list[Any]) -> Callable[..., Any]:
        captured.append(len(graph.graph.nodes))
        return graph.forward

    with _fresh_dynamo():
        for role in NAMED_ROLES:
            getattr(compiled, role).compile(fullgraph=True, dynamic=False, backend=backend)
        graphs = []
        for step in range(STEPS):
            schedule_values = schedule_values_at(plain, step, STEPS - 1)
            torch.manual_seed(subject.seed)
            expected = plain(batch, schedule_values)
            torch.manual_seed(subject.seed)
            try:
                losses = compiled(batch, schedule_values)
                objective(losses).backward()
            except Exception as error:
                raise CheckMismatch(
                    "torch.compile(fullgraph=True) to capture encoder, latent, decoder and loss",
                    _reason(error),
                ) from error
            _check_close(losses, expected)
            graphs.append(len(captured))
        expect(
            graphs[-1] == graphs[0],
            "one graph of a part for every step",
            f"{graphs[-1] - graphs[0]} more graphs in {STEPS - 1} steps; a value that changes is "
            "a tensor (schedule values are), not a Python number",
        )
    return f"{graphs[0]} graphs, {sum(captured):,} operations"


def _require_dynamo() -> None:
    try:
        with _fresh_dynamo():
            torch.compile(_nothing, backend="eager")(torch.zeros(1))
    except Exception as error:  # a torch that cannot compile here raises whatever it meets
        raise Skipped(f"torch.compile does not work here: {describe_failure(error)}") from error


def _nothing(value: Tensor) -> Tensor:
    return value + 0


@contextmanager
def _fresh_dynamo() -> Iterator[None]:
    """Graphs of others do not count; what dynamo logs and warns of itself is not the author's."""
    import torch._dynamo

    before = logging.root.manager.disable
    torch._dynamo.reset()
    # By default torch runs its own recurrent layers outside of graphs: not the author's affair.
    recurrent = {"allow_rnn": True} if hasattr(torch._dynamo.config, "allow_rnn") else {}
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), _patch_compiler(recurrent):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
        torch._dynamo.reset()


def _patch_compiler(settings: dict[str, Any]) -> Any:
    """The compiler's settings for a while."""
    return torch._dynamo.config.patch(settings) if settings else contextlib.nullcontext()


def _check_close(compiled: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    for name, value in expected.items():
        expect(
            torch.allclose(compiled[name], value, rtol=1e-4, atol=1e-5),
            f"the compiled parts to give '{name}' {value.item():.6g} too",
            f"{compiled[name].item():.6g}",
        )


def _reason(error: BaseException) -> str:
    """The first line of what dynamo says, and the user's line it says it of."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    first = lines[0] if lines else type(error).__name__
    code = [line for line in lines if line.startswith("File ") and "site-packages" not in line]
    place = ""
    if code:
        file, _, rest = code[-1].removeprefix("File ").partition(", line ")
        name = file.strip('"').replace("\\", "/").rpartition("/")[2]
        place = f" ({name}, line {rest.partition(',')[0]})"
    return f"{first}{place}"
