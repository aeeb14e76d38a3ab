"""A decoder and a loss for tasks of values in 0..1 and of tokens alike; they go together."""

from aeplug import DecoderSpec, LossSpec, hookimpl


@hookimpl
def aeplug_decoders():
    yield DecoderSpec(
        "dictionary", "aeplug_extra_parts.dictionary:Dictionary", "items as sums of learnt atoms"
    )


@hookimpl
def aeplug_losses():
    yield LossSpec("focal", "aeplug_extra_parts.focal:FocalLoss", "weighs what is hard to say more")
