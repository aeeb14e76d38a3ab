"""Values that change over a training: ``step -> value``.

In a config a schedule is a number (constant) or a text:

===============================  ==================================================
``linear(A, B, N)``              from A to B over N steps, then B
``cosine(A, B, N)``              the same along half a cosine
``saturating(MAX, RATE)``        ``MAX * (1 - RATE ** step)``, RATE in 0..1, MusicVAE's beta
``inverse-sigmoid(K)``           ``1 - K / (K + exp(step / K))``, scheduled sampling
                                 (Bengio et al., NeurIPS 2015)
===============================  ==================================================

N may be a fraction of the whole training: ``linear(0, 1, 0.2)`` (anything below or equal to 1).
"""

from __future__ import annotations

import math
import re
import sys
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema

_FORMS = {"linear": 3, "cosine": 3, "saturating": 2, "inverse-sigmoid": 1}
_TEXT = re.compile(r"\s*([a-z-]+)\s*\(([^()]*)\)\s*")


@dataclass(frozen=True)
class Schedule:
    """A number that may depend on the optimizer step; a field type for part configs.

    Example:
        >>> beta = Schedule.parse("linear(0, 1, 0.2)")
        >>> [beta(step, total=500) for step in (0, 50, 100, 500)]
        [0.0, 0.5, 1.0, 1.0]
    """

    form: str
    arguments: tuple[float, ...]

    @classmethod
    def parse(cls, value: Any) -> Schedule:
        """From a number, the text of a form, or a schedule itself.

        Raises:
            ValueError: neither a finite number nor a known form with its arguments.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if not abs(value) <= sys.float_info.max:
                raise ValueError("a schedule's number must be finite")
            return cls("constant", (float(value),))
        if isinstance(value, str):
            match = _TEXT.fullmatch(value)
            if match and match[1] in _FORMS:
                try:
                    arguments = tuple(float(part) for part in match[2].split(","))
                except ValueError:
                    arguments = ()
                usable = len(arguments) == _FORMS[match[1]] and all(map(math.isfinite, arguments))
                rate = match[1] == "saturating"
                if usable and (0 <= arguments[-1] <= 1 if rate else arguments[-1] > 0):
                    return cls(match[1], arguments)
            try:
                return cls.parse(float(value))
            except ValueError:
                pass
        raise ValueError(
            f"expected a number or one of linear(A, B, N), cosine(A, B, N), "
            f"saturating(MAX, RATE), inverse-sigmoid(K), got {value!r}"
        )

    def __call__(self, step: int, total: int) -> float:
        """The value at ``step`` of a training of ``total`` steps."""
        if self.form == "constant":
            return self.arguments[0]
        if self.form == "saturating":
            top, rate = self.arguments
            return top * (1 - rate**step)
        if self.form == "inverse-sigmoid":
            (k,) = self.arguments
            exponent = min(step / k, 700.0)
            return 1 - k / (k + math.exp(exponent))
        start, end, over = self.arguments
        steps = over * total if over <= 1 else over
        done = min(step / max(steps, 1e-9), 1.0)
        if self.form == "cosine":
            done = (1 - math.cos(math.pi * done)) / 2
        return start + (end - start) * done

    def __str__(self) -> str:
        if self.form == "constant":
            return _text(self.arguments[0])
        return f"{self.form}({', '.join(map(_text, self.arguments))})"

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.parse,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda schedule: (
                    schedule.arguments[0] if schedule.form == "constant" else str(schedule)
                )
            ),
        )


def _text(number: float) -> str:
    # Short where that is exact: a digit lost here would be lost in a resumed run.
    short = f"{number:g}"
    return short if float(short) == number else repr(number)


def learning_rate(step: int, total: int, peak: float, warmup: int, floor: float) -> float:
    """Linear warm-up over ``warmup`` steps, then half a cosine to ``floor * peak``.

    Step 0 is the first; the value is above 0 at every step below ``total``.

    Example:
        >>> [round(learning_rate(n, 100, 1.0, warmup=10, floor=0.1), 2) for n in (0, 9, 55, 100)]
        [0.1, 1.0, 0.55, 0.1]
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    done = min((step - warmup) / max(total - warmup, 1), 1.0)
    return peak * (floor + (1 - floor) * (1 + math.cos(math.pi * done)) / 2)
