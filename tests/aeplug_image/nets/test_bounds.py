"""Bounds of an image's log-likelihood, in the whole task: draws, free nats, every bottleneck."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from aeplug.config import resolve
from aeplug.config.schedules import Schedule
from aeplug.errors import ConfigError
from aeplug.interfaces import Batch, DataShape
from aeplug.latents.gaussian import GaussianPosterior
from aeplug.latents.importance import ImportanceSamples
from aeplug.model.task import Task
from aeplug.plugins import Plugins
from aeplug_image.nets.losses import ELBOConfig, ELBOLoss
from aeplug_image.nets.pixels import PixelOutput

PLUGINS = Plugins([], [], only_builtin=True)
SHAPE = DataShape((1, 8, 8), (1, 8, 8), conditions={"digit": ("a", "b", "c")})
SMALL = {"encoder": "mlp", "decoder": "mlp", "encoder.hidden": [8], "decoder.hidden": [8]}


def task_with(**settings: Any) -> Task:
    torch.manual_seed(0)
    chosen = {**SMALL, **{key.replace("__", "."): value for key, value in settings.items()}}
    return Task(resolve(PLUGINS.task("mnist-vae"), PLUGINS, chosen), SHAPE)


@pytest.fixture
def batch() -> Batch:
    images = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(3)).round()
    return Batch(images, images, {"digit": torch.arange(6) % 3})


def measured(task: Task, batch: Batch, seed: int = 1) -> dict[str, torch.Tensor]:
    schedule_values = task.new_schedule_values(torch.device("cpu"))
    task.update_schedules(schedule_values, 1, 1)
    return task(batch, schedule_values, torch.Generator().manual_seed(seed))


class TestIWAE:
    def test_one_draw_is_the_elbo(self, batch: Batch) -> None:
        """Of a learnt prior, whose KL is taken at the same draw, the very same number."""
        elbo = measured(task_with(latent="mixture", latent__size=3), batch)
        bound = measured(
            task_with(latent="mixture", latent__size=3, loss="iwae", loss__draws=1), batch
        )
        torch.testing.assert_close(bound["loss"], elbo["loss"])
        torch.testing.assert_close(bound["nll_nats"], elbo["nll_nats"])
        torch.testing.assert_close(bound["kl_nats"], elbo["kl_nats"])

    def test_it_is_the_mean_of_weights(self, batch: Batch) -> None:
        task = task_with(latent__size=3, loss="iwae", loss__draws=4).eval()
        schedule_values = task.new_schedule_values(torch.device("cpu"))
        terms, output, posterior = task.measure(
            batch, schedule_values, torch.Generator().manual_seed(1)
        )
        assert isinstance(posterior, ImportanceSamples) and posterior.z.shape == (24, 3)
        assert output.values.shape == (24, 1, 8, 8)
        each = task.encode(batch.input, batch.context(with_target=True))[0]
        z = posterior.z.reshape(6, 4, 3)
        total = torch.zeros(6)
        for number in range(4):
            context = batch.context(with_target=True)  # its own class, too
            nll = task.loss.nll(task.decoder(z[:, number], context, schedule_values), batch)
            log_weight = task.latent.log_prior(z[:, number]) - each.log_prob(z[:, number]) - nll
            total = total + log_weight.exp()
        torch.testing.assert_close(terms["loss"], -(total / 4).log().mean())

    def test_more_draws_bound_more_tightly(self, batch: Batch) -> None:
        losses = []
        for draws in (1, 10, 100):
            task = task_with(latent__size=3, loss="iwae", loss__draws=draws).eval()
            with torch.no_grad():
                losses.append(
                    torch.stack([measured(task, batch, seed)["loss"] for seed in range(30)]).mean()
                )
        assert losses[0] > losses[1] > losses[2]

    @pytest.mark.parametrize("gradient", ["standard", "doubly-reparameterised"])
    @pytest.mark.parametrize("latent", ["gaussian", "mixture", "vamp"])
    def test_every_weight_learns(self, batch: Batch, latent: str, gradient: str) -> None:
        task = task_with(latent=latent, loss="iwae", loss__draws=3, loss__gradient=gradient)
        measured(task, batch)["loss"].backward()
        for name, parameter in task.named_parameters():
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name

    @pytest.mark.parametrize("latent", ["deterministic", "vq", "adversarial"])
    def test_latents_without_density_are_refused_when_built(self, latent: str) -> None:
        with pytest.raises(ConfigError, match="'iwae' weighs draws by densities"):
            task_with(latent=latent, loss="iwae")

    @pytest.mark.filterwarnings("ignore")  # torch's own, of its compiler
    def test_it_is_captured_whole(self, batch: Batch) -> None:
        torch._dynamo.reset()
        task = task_with(latent__size=3, loss="iwae", loss__draws=3)
        plain = measured(task, batch)["loss"]
        for part in task.parts():
            part.compile(backend="eager", fullgraph=True)
        compiled = measured(task, batch)["loss"]
        compiled.backward()
        torch.testing.assert_close(compiled, plain)


def test_free_nats_cost_nothing_and_are_shown() -> None:
    mean = torch.tensor([[0.0, 1.0, 3.0], [0.1, 1.0, -3.0]])
    posterior = GaussianPosterior(mean, torch.zeros(2, 3))
    images = torch.rand(2, 1, 2, 2)
    output, batch = PixelOutput(torch.zeros(2, 1, 2, 2), True), Batch(images, images)
    by_dimension = 0.5 * mean.square().mean(0)
    schedule_values = {"beta": torch.tensor(2.0)}
    for free in (0.0, 0.6):
        loss = ELBOLoss(ELBOConfig(beta=Schedule.parse(2.0), free_nats=free), SHAPE)
        terms = loss(output, batch, posterior, schedule_values)
        assert terms["kl_nats"].item() == pytest.approx(by_dimension.sum().item())
        expected = 4 * math.log(2) + 2 * sum(max(one, free) for one in by_dimension.tolist())
        assert terms["loss"].item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("part", ["conv", "mlp"])
@pytest.mark.parametrize(
    "latent", ["mixture", "vamp", "adversarial", "fsq", "vq", "deterministic", "gaussian"]
)
def test_every_bottleneck_is_named_on_the_command_line(
    batch: Batch, latent: str, part: str
) -> None:
    net = {"hidden": [8]} if part == "mlp" else {"widths": [4, 4], "blocks": [0, 0], "hidden": 0}
    chosen = {
        f"{role}__{key}": value for role in ("encoder", "decoder") for key, value in net.items()
    }
    task = task_with(latent=latent, encoder=part, decoder=part, **chosen)
    terms = measured(task, batch)
    assert all(value.dim() == 0 and torch.isfinite(value) for value in terms.values())
    terms["loss"].backward()
    assert all(p.grad is not None for p in task.encoder.parameters())
