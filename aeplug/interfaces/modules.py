"""What any module of a task may ask for: another part, a critic, a call after each step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from torch import Tensor, nn

if TYPE_CHECKING:
    from aeplug.runtime.distributed import Distributed


@runtime_checkable
class Adversarial(Protocol):
    """A latent part or loss that plays against a module of its own, a critic or discriminator.

    The weights of ``adversary`` are updated in the same step by an optimizer of their own
    (``train.adversary_lr``), clipped and skipped apart from the others. They minimise the term
    ``adversary``, the others minimise ``loss``; one backward pass serves both, so neither term may
    reach the other side's weights: compute ``adversary`` of what is detached, and what stands
    against it, which goes into the loss, with the critic's weights detached
    (``torch.func.functional_call``).

    Attributes:
        adversary: the critic, a module with weights.

    Example:
        >>> class CriticLatent(nn.Module):
        ...     def __init__(self, config, features_shape):
        ...         super().__init__()
        ...         self.adversary = nn.Linear(2, 1)
        ...     def auxiliary_losses(self, encoded):
        ...         logits = self.adversary(encoded.z.detach())
        ...         return {"adversary": nn.functional.softplus(logits).mean()}
        >>> z = torch.zeros(4, 2)
        >>> CriticLatent(None, (8,)).auxiliary_losses(Encoded(None, z, z, {}, training=True)).keys()
        dict_keys(['adversary'])
    """

    adversary: nn.Module


@runtime_checkable
class Bindable(Protocol):
    """A part that needs another one.

    Example:
        >>> class TiedDecoder(nn.Module):
        ...     def bind(self, task):
        ...         self.other = (task.encoder,)  # a tuple: its weights stay the encoder's
        >>> decoder = TiedDecoder()
        >>> decoder.bind(model.task)
        >>> len(list(decoder.parameters()))
        0
    """

    def bind(self, task: nn.Module) -> None:
        """Called once, when the task has all its parts: ``encoder``, ``latent``, ``decoder``,
        ``loss`` and ``shape``. Keep a part in a tuple, or its weights are registered twice.

        Raises:
            ValueError: the part does not fit the others.
        """
        ...


@runtime_checkable
class AfterStep(Protocol):
    """A part that moves by itself what the optimizers do not: running means, codebooks.

    Example:
        >>> class CountingLatent(nn.Module):
        ...     def __init__(self, config, features_shape):
        ...         super().__init__()
        ...         self.register_buffer("steps", torch.zeros(()))
        ...     def after_step(self, skipped, distributed):
        ...         self.steps += 1 - skipped
        >>> latent = CountingLatent(None, (8,))
        >>> latent.after_step(torch.tensor(0.0), None)
        >>> latent.steps
        tensor(1.)
    """

    def after_step(self, skipped: Tensor, distributed: Distributed) -> None:
        """Called after each step of the optimizers, in every process.

        Args:
            skipped: 0-d float, 1 where the step was left out: then nothing may change.
            distributed: to sum over processes, which must stay alike.
        """
        ...
