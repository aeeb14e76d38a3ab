"""A mixture of Gaussians with full covariances, by expectation-maximisation.

The components are shared by all classes of a condition, their weights are each class's own: where
the latent depends on the class, a class gets its own density, and a class of few items still
borrows the shapes that the others' items gave.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

#: Least variance of a component along any axis, as a share of the data's own.
FLOOR = 1e-4
#: Items' worth of belief that a component's covariance is the pooled one.
SHRINKAGE = 10.0
#: Items' worth of belief that a class's weights are those of all classes.
CLASS_SHRINKAGE = 10.0
#: EM ends at a gain below this, nats a dimension, or after so many steps.
GAIN, STEPS = 2e-4, 100
#: Items whose components are looked at together.
ROWS = 4096
#: Items that the starting centres are sought among, and rounds of k-means from them.
START_ITEMS, START_ROUNDS = 10_000, 10


class GaussianMixture:
    """K Gaussians in D dimensions.

    Args:
        log_weights: float32 ``(1 + C, K)``: of all items, then of each class, each row of total
            weight 1.
        means: ``(K, D)``.
        scales: lower triangular ``(K, D, D)``; a component's covariance is ``L L^T``.

    Example:
        >>> mixture = GaussianMixture(torch.zeros(1, 1), torch.zeros(1, 2), torch.eye(2)[None])
        >>> mixture.log_prob(torch.zeros(4, 2))
        tensor([-1.8379, -1.8379, -1.8379, -1.8379])
    """

    def __init__(self, log_weights: Tensor, means: Tensor, scales: Tensor) -> None:
        self.log_weights, self.means, self.scales = log_weights, means, scales
        eye = torch.eye(means.shape[1], dtype=scales.dtype, device=scales.device)
        self._whitening = torch.linalg.solve_triangular(scales, eye.expand_as(scales), upper=False)
        self._log_volumes = scales.diagonal(dim1=1, dim2=2).log().sum(1)

    def log_joint(self, z: Tensor, classes: Tensor | None = None) -> Tensor:
        """Logarithm of each component's weight times density at ``(B, D)``, nats, ``(B, K)``.

        ``classes`` are row numbers of the weights, int64 ``(B,)``; None: the first.
        """
        weights = self.log_weights[:1] if classes is None else self.log_weights[classes]
        squares = [
            ((z - mean) @ whitening.T).square().sum(1)
            for mean, whitening in zip(self.means, self._whitening, strict=True)
        ]
        constant = self._log_volumes + 0.5 * z.shape[1] * math.log(2 * math.pi)
        return weights - 0.5 * torch.stack(squares, 1) - constant

    def log_prob(self, z: Tensor, classes: Tensor | None = None) -> Tensor:
        """Logarithm of the density at ``(B, D)``, nats, ``(B,)``."""
        return self.log_joint(z, classes).logsumexp(1)

    def sample(
        self,
        count: int,
        scale: float,
        generator: torch.Generator | None,
        classes: Tensor | None = None,
    ) -> Tensor:
        """Draws, ``(count, D)``; ``scale`` scales a draw's distance from its component's mean."""
        weights = self.log_weights[:1] if classes is None else self.log_weights[classes]
        uniform = torch.rand(count, 1, device=self.means.device, generator=generator)
        edges = weights.softmax(1).cumsum(1)
        chosen = (uniform > edges).sum(1).clamp(max=len(self.means) - 1)
        noise = torch.empty(count, self.means.shape[1], device=self.means.device)
        noise = noise.normal_(generator=generator) * scale
        # Component by component: a scale of its own for each draw would be a large tensor.
        z = self.means[chosen]
        for component in chosen.unique():
            rows = chosen == component
            z[rows] += noise[rows] @ self.scales[component].T
        return z


def fit_gaussian_mixture(
    z: Tensor,
    components: int,
    classes: Tensor | None = None,
    class_count: int = 0,
    seed: int = 0,
    progress: Callable[[int, float], None] = lambda step, density: None,
) -> GaussianMixture:
    """The mixture of greatest posterior density, from a k-means++ start.

    Covariances are drawn a little towards the pooled one, and a class's weights towards those of
    all, so that components and classes of few items stay sound.

    Args:
        z: float32 ``(N, D)``, N at least ``components``.
        components: K.
        classes: each item's, from 0, int64 ``(N,)``; None: they are not told apart.
        class_count: C; a class without items gets the weights of all.
        seed: of the start.
        progress: called with the step and the mean log-density, nats an item.

    Example:
        >>> z = torch.cat([torch.randn(50, 2), 9 + torch.randn(50, 2)])
        >>> fit_gaussian_mixture(z, components=2).means.mean(1).sort().values.round()
        tensor([0., 9.])
    """
    deviation, mean = torch.std_mean(z, 0, correction=0)
    # A dimension that never moves keeps a sliver of a density.
    deviation = deviation.clamp(min=1e-6)
    given = (z - mean) / deviation
    rows = None if classes is None else 1 + classes
    generator = torch.Generator().manual_seed(seed)
    centres = _centres(given, components, generator)
    sums = _Sums(centres, class_count)
    for part in _parts(len(given)):
        nearest = functional.one_hot(_nearest(given[part], centres), components)
        sums.add(given[part], nearest, None if rows is None else rows[part])
    before = -math.inf
    for step in range(STEPS):
        mixture = sums.mixture()
        density, sums = _expected(given, rows, mixture, class_count)
        progress(step + 1, density - float(deviation.log().sum()))
        if density - before < GAIN * z.shape[1]:
            break
        before = density
    return GaussianMixture(
        mixture.log_weights, mixture.means * deviation + mean, mixture.scales * deviation[:, None]
    )


def _expected(
    z: Tensor, rows: Tensor | None, mixture: GaussianMixture, class_count: int
) -> tuple[float, _Sums]:
    """Mean log-density, and the sums over the items' shares in each component."""
    sums = _Sums(mixture.means, class_count)
    total = 0.0
    for part in _parts(len(z)):
        here = None if rows is None else rows[part]
        joint = mixture.log_joint(z[part], here)
        densities = joint.logsumexp(1, keepdim=True)
        total += float(densities.double().sum())
        sums.add(z[part], torch.exp(joint - densities), here)
    return total / len(z), sums


class _Sums:
    """What a mixture is made of, summed over items; scatters about origins near the means."""

    def __init__(self, origins: Tensor, class_count: int) -> None:
        count, size = origins.shape
        self.origins = origins
        self.counts = origins.new_zeros(1 + class_count, count)
        self.shifts = origins.new_zeros(count, size)
        self.scatters = origins.new_zeros(count, size, size)

    def add(self, z: Tensor, shares: Tensor, rows: Tensor | None) -> None:
        """Items ``(B, D)`` with their shares ``(B, K)`` in the components."""
        shares = shares.to(z.dtype)
        self.counts[0] += shares.sum(0)
        if rows is not None:
            self.counts.index_add_(0, rows, shares)
        for number, (share, origin) in enumerate(zip(shares.T, self.origins, strict=True)):
            moved = z - origin
            weighted = moved * share[:, None]
            self.shifts[number] += weighted.sum(0)
            self.scatters[number].addmm_(weighted.T, moved)

    def mixture(self) -> GaussianMixture:
        """The mixture that the sums call for."""
        counts, size = self.counts[0], self.origins.shape[1]
        weights = (counts + 1e-6) / (counts + 1e-6).sum()
        own = torch.cat([weights[None] * counts.sum(), self.counts[1:]])
        own = (own + CLASS_SHRINKAGE * weights) / (own.sum(1, keepdim=True) + CLASS_SHRINKAGE)
        shift = self.shifts / counts.clamp(min=1e-6)[:, None]
        scatter = self.scatters - counts[:, None, None] * shift[:, :, None] * shift[:, None]
        pooled = (scatter.diagonal(dim1=1, dim2=2).sum(0) / counts.sum()).clamp(min=FLOOR)
        covariances = scatter + SHRINKAGE * pooled.diag()
        covariances = covariances / (counts + SHRINKAGE)[:, None, None]
        floor = FLOOR * torch.eye(size, device=pooled.device)
        scales = torch.linalg.cholesky(covariances + floor)
        return GaussianMixture(own.log(), self.origins + shift, scales)


def _parts(count: int) -> Iterator[slice]:
    """All rows, some at a time: few enough for a processor's caches."""
    for start in range(0, count, ROWS):
        yield slice(start, start + ROWS)


def _centres(z: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Centres ``(count, D)``: k-means++ (Arthur & Vassilvitskii, SODA 2007), then k-means."""
    chosen = torch.randperm(len(z), generator=generator)[: max(START_ITEMS, count)]
    z = z[chosen.to(z.device)]
    centres = z[:1]
    distance = (z - centres).square().sum(1)
    for _ in range(count - 1):
        # Where all items are at centres already, any will do.
        chances = distance.cpu() if float(distance.sum()) > 0 else torch.ones(len(z))
        following = z[torch.multinomial(chances, 1, generator=generator).to(z.device)]
        centres = torch.cat([centres, following])
        distance = torch.minimum(distance, (z - following).square().sum(1))
    for _ in range(START_ROUNDS):
        nearest = _nearest(z, centres)
        sums = torch.zeros_like(centres).index_add_(0, nearest, z)
        sizes = torch.bincount(nearest, minlength=count)[:, None]
        centres = torch.where(sizes > 0, sums / sizes.clamp(min=1), centres)
    return centres


def _nearest(z: Tensor, centres: Tensor) -> Tensor:
    """Number of each item's nearest centre, int64 ``(N,)``."""
    return torch.addmm(centres.square().sum(1), z, centres.T, alpha=-2).argmin(1)
