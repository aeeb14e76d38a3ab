"""What Python users call: load a model, train one, measure one; the command line calls the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aeplug.config import resolve
from aeplug.data.opening import choose_split, open_dataset
from aeplug.data.splits import first_items
from aeplug.errors import AeplugError, ConfigError
from aeplug.evaluation.likelihood import estimate_likelihood as measure_likelihood
from aeplug.evaluation.outliers import detect_outliers, open_outliers
from aeplug.evaluation.pca_comparison import Source, compare_with_pca
from aeplug.evaluation.report import evaluate as measure
from aeplug.model import checkpoint as checkpoints
from aeplug.model import run_folder
from aeplug.model.capabilities import resolve_options
from aeplug.model.dataset import evaluation_dataset
from aeplug.model.loading import config_of_checkpoint, explain_misfit
from aeplug.model.locate import locate_checkpoint, untrained_task
from aeplug.model.model import Model
from aeplug.model.run_folder import BEST, LAST, RunFolder
from aeplug.model.task import Task
from aeplug.plugins import Plugins, active
from aeplug.priors.registry import PriorRegistry
from aeplug.runtime.console import say
from aeplug.runtime.distributed import init_distributed, pick_device
from aeplug.runtime.signals import Interrupted
from aeplug.training.start import (
    begin_or_resume,
    resumable_run,
    resumed_config,
    settings_layers,
    training_length,
)
from aeplug.training.trainer import Trainer

#: Draws of each item for the log-likelihood, unless their number is named.
IMPORTANCE_DRAWS = 500


def load(
    model: str | Path,
    *,
    device: str = "auto",
    checkpoint: str = "",
    plugins: Plugins | None = None,
) -> Model:
    """Load a trained model.

    Args:
        model: a run directory, a checkpoint's folder, or a task's name for the weights that ship
            with it; a directory goes before a task of the same name.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        checkpoint: ``best`` or ``last`` of a run; by default best, else last.
        plugins: where parts are looked up; by default those of this process.

    Raises:
        CheckpointError: there is none, it is damaged, or its plug-in is missing or of a version
            that it does not fit; the message names what to install.
        PluginError: no run and no task has this name; the message names the nearest.

    Example:
        >>> model = aeplug.load("mnist-vae", device="cpu")
        >>> model.sample(4, seed=1).shape
        torch.Size([4, 1, 28, 28])
    """
    plugins = plugins or active()
    source = checkpoints.read(locate_checkpoint(model, checkpoint, plugins))
    config = config_of_checkpoint(source, plugins)
    with explain_misfit(source, plugins):
        task = Task(config, source.shape)
        source.load_into(task)
    loaded = Model(config, task, pick_device(device), source.header, source.folder)
    loaded.priors = PriorRegistry(loaded, plugins)
    return loaded


def train(
    task: str,
    *,
    steps: int | None = None,
    epochs: float | None = None,
    data: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    config: str | Path | None = None,
    run: str | Path | None = None,
    seed: int | None = None,
    precision: str | None = None,
    device: str = "auto",
    resume: bool = False,
    plugins: Plugins | None = None,
) -> Run:
    """Train a task and keep everything in a run folder, with pictures of what came of it.

    In processes started by ``torchrun`` they share the work; the first alone writes.

    Args:
        task: its name, as :func:`tasks` lists it.
        steps: optimizer steps; or
        epochs: passes over the training data; by default the task's own length.
        data: a folder (or file) of your own to train on, instead of the task's data set.
        settings: by dotted key, ``{"latent": 20, "train.lr": 3e-4, "encoder": "mlp"}``, or nested.
        config: a JSON file of settings, which ``data`` and ``settings`` go over.
        run: folder of the run; by default ``runs/TASK-YYYYMMDD-HHMMSS``.
        seed: of weights, order and noise; by default 0.
        precision: ``fp32`` or ``bf16`` (mixed precision).
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        resume: go on with the run in ``run``, by default the task's latest; from step 0 where it
            has saved nothing yet. It keeps its settings; only ``steps`` or ``epochs`` may change.
        plugins: where parts are looked up; by default those of this process.

    Raises:
        ConfigError: a setting has an unknown name or a value out of range.
        TrainingStopped: Ctrl-C or SIGTERM; everything reached is saved.
        CheckpointError: the folder holds a run already, or there is none to resume.

    Example:
        >>> run = aeplug.train("mnist-vae", steps=2, settings={"train.eval_items": 100})
        >>> sorted(path.name for path in run.folder.glob("*.png"))
        ['curve.png', 'reconstructions.png', 'samples.png']
    """
    plugins = plugins or active()
    layers = settings_layers(task, data, settings, config, seed, precision, plugins)
    length = training_length(steps, epochs)
    with init_distributed(device) as distributed:
        if resume:
            folder, source = resumable_run(task, run, layers, distributed)
            task_config = resumed_config(folder, source, length, plugins)
        else:
            source = None
            task_config = resolve(plugins.task(task), plugins, *layers, length)
            folder = RunFolder(Path(distributed.share(str(run or run_folder.new_folder(task)))))
        trainer = Trainer(task_config, open_dataset(task_config), plugins, folder, distributed)
        try:
            begin_or_resume(trainer, folder, source, plugins, resumed=resume)
        except Interrupted as stop:
            raise TrainingStopped(
                Run(folder.folder, plugins), stop.step, trainer.plan.total, stop.signal_number
            ) from None
        finally:
            trainer.model = trainer.task  # lets go of DDP while its processes are still there
        finished = Run(folder.folder, plugins)
        is_main = distributed.is_main
    if is_main:
        finished.draw()
    return finished


def evaluate(
    model: Model | str | Path,
    *,
    data: str | Path | None = None,
    split: str | None = None,
    items: int | None = None,
    baselines: bool = False,
    likelihood: bool = False,
    importance: int = IMPORTANCE_DRAWS,
    prior: str = "",
    outliers: str | None = None,
    options: Mapping[str, Any] | None = None,
    device: str = "auto",
    checkpoint: str = "",
    plugins: Plugins | None = None,
) -> dict[str, Any]:
    """Measure a model on data it was not trained on.

    Args:
        model: what :func:`load` takes, or gives.
        data: a folder (or file) of your own, instead of the task's data set.
        split: ``train``, ``val``, ``test`` or ``all``; by default test, of your own data all.
        items: only the first so many.
        baselines: also score simple methods on the same items.
        likelihood: also the evidence lower bound and the log-likelihood, in nats.
        importance: draws of each item for the log-likelihood; the more, the tighter the bound.
        prior: of the likelihood: ``own``, ``standard``, or a fitted one, ``gaussian``, ``gmm``.
        outliers: a folder or a data set of other things, to be detected by their error.
        options: the task's own, by name with hyphens (``{"sigma": 25}`` of ``denoise``).
        device: see :func:`load`, like ``checkpoint`` and ``plugins``.
        checkpoint: see there.
        plugins: see there.

    Returns:
        Figures by name, their unit at the end of it; ``items`` is how many they are taken over,
        baselines lie under ``baselines``.

    Raises:
        ConfigError: the model has no likelihood or no baselines, or data does not fit it.
        DataError: files are missing or damaged.

    Example:
        >>> report = aeplug.evaluate("mnist-vae", items=200, device="cpu")
        >>> report["items"], report["psnr_db"] > 10
        (200, True)
    """
    plugins = plugins or active()
    if not isinstance(model, Model):
        model = load(model, device=device, checkpoint=checkpoint, plugins=plugins)
    chosen_options = resolve_options(model, "evaluate", options or {})
    dataset = evaluation_dataset(model, None if data is None else str(data), plugins)
    chosen = choose_split(dataset, split or ("test" if data is None else "all"))
    if items is not None:
        chosen = first_items(chosen, items)
    # First what may be refused: nobody shall wait for that.
    strange = None if outliers is None else open_outliers(model, outliers, plugins)
    further: dict[str, Any] = {}
    if likelihood:
        further |= measure_likelihood(model, chosen, importance, prior)
    if strange is not None:
        further |= {"outliers": outliers, **detect_outliers(model, chosen, strange)}
    figures = measure(model, chosen, chosen_options, with_baselines=baselines)
    return {"task": model.spec.name, **figures, **further}


def compare_pca(
    model: Model | str | Path,
    *,
    dims: int | None = None,
    label: str = "",
    probes: bool = True,
    data: str | Path | None = None,
    split: str | None = None,
    items: int | None = None,
    device: str = "auto",
    checkpoint: str = "",
) -> dict[str, Any]:
    """Compare a model with PCA of equally many dimensions, fitted on the training split.

    A task that ships no weights is measured without its model.

    Args:
        model: what :func:`load` takes, or gives.
        dims: components; by default as many as latents.
        label: what probes predict from latents, components and values; by default the first
            label that the data has.
        probes: also fit probes, k-NN and linear.
        data: a folder (or file) of your own, instead of the task's data set.
        split: what is measured on; by default ``test``, of your own data ``all``.
        items: only the first so many.
        device: see :func:`load`, like ``checkpoint``.
        checkpoint: see there.

    Returns:
        ``task`` and the figures of :func:`aeplug.evaluation.compare_with_pca`.

    Raises:
        ConfigError: the latent is no vector and ``dims`` is not given, or data does not fit.

    Example:
        >>> report = aeplug.compare_pca("mnist-vae", items=100, probes=False)
        >>> report["dims"], report["pca_squared_error"] > report["model_squared_error"]
        (2, True)
    """
    task = None if isinstance(model, Model) else untrained_task(model, active())
    if task is not None:
        say(f"task '{task.name}' ships no weights: PCA alone")
        source = Source.from_task(task, data, device)
        latent = resolve(task, active()).sections["latent"].config
        size = dict(latent).get("size")
    else:
        if not isinstance(model, Model):
            model = load(model, device=device, checkpoint=checkpoint)
        task, size = model.spec, model.latent_size
        source = Source.from_model(model, data)
    dims = dims or size
    if dims is None:
        raise ConfigError(f"'{task.name}' has no vector as its latent; give --dims")
    figures = compare_with_pca(
        source,
        split=split or ("test" if data is None else "all"),
        items=items,
        dims=dims,
        label=label,
        probes=probes,
    )
    return {"task": task.name, **figures}


class Run:
    """A training that is kept in a folder: settings, figures, checkpoints, pictures.

    Attributes:
        folder: where it lies.
        task: the name of what was trained.
        config: its settings, as in ``config.json``.

    Args:
        folder: of a run; :func:`train` gives one.
        plugins: where parts are looked up; by default those of this process.

    Raises:
        CheckpointError: there is no run.

    Example:
        >>> run = aeplug.train("mnist-vae", steps=2, settings={"train.eval_items": 100})
        >>> run.config["latent"]["name"], run.metrics()[-1]["step"]
        ('gaussian', 2)
        >>> run.load().sample(1).shape
        torch.Size([1, 1, 28, 28])
        >>> run.resume(steps=3).metrics()[-1]["step"]
        3
    """

    def __init__(self, folder: str | Path, plugins: Plugins | None = None) -> None:
        self.folder = Path(folder)
        self._files, self._plugins = RunFolder(self.folder), plugins
        self.config = self._files.config()
        self.task = str(self.config["task"])

    def __repr__(self) -> str:
        last = self.metrics()[-1:]
        step = f", step {last[0]['step']}" if last else ""
        return f"Run('{self.folder}': {self.task}{step})"

    def metrics(self, split: str = "") -> list[dict[str, Any]]:
        """The lines of ``metrics.jsonl``: ``step``, ``epoch``, ``split``, losses, ``seconds``.

        Args:
            split: ``train`` or ``val`` alone; by default both, in order.
        """
        return [line for line in self._files.metrics() if split in ("", line["split"])]

    def checkpoints(self) -> dict[str, Path]:
        """Folders of the checkpoints there are, by name: ``best``, ``last``."""
        folders = {name: self._files.checkpoint(name) for name in (BEST, LAST)}
        return {name: folder for name, folder in folders.items() if folder.is_dir()}

    def load(self, checkpoint: str = "", *, device: str = "auto") -> Model:
        """The trained model; see :func:`load`."""
        return load(self.folder, device=device, checkpoint=checkpoint, plugins=self._plugins)

    def resume(
        self, *, steps: int | None = None, epochs: float | None = None, device: str = "auto"
    ) -> Run:
        """Go on training, to its own length or to another; see :func:`train`."""
        return train(
            self.task,
            steps=steps,
            epochs=epochs,
            run=self.folder,
            device=device,
            resume=True,
            plugins=self._plugins,
        )

    def draw(self) -> list[Path]:
        """Draw its pictures into its folder: curve, reconstructions, samples; their paths."""
        from aeplug.plots.curve import draw_curve
        from aeplug.plots.gallery import draw_reconstructions, draw_samples

        pictures = [self.folder / "curve.png"]
        draw_curve(self._files.metrics(), pictures[0], self.folder.name)
        model = self.load()
        if "reconstruct" in model.verbs:
            pictures.append(draw_reconstructions(model, self.folder / "reconstructions.png"))
        if "sample" in model.verbs:
            pictures.append(draw_samples(model, self.folder / "samples.png"))
        for picture in pictures:
            say(f"picture: {picture}")
        return pictures

    def pictures(self) -> list[Path]:
        """The pictures that were drawn."""
        return sorted(self.folder.glob("*.png"))


class TrainingStopped(AeplugError):
    """Training was asked to stop, by Ctrl-C or a signal, and saved.

    Attributes:
        run: what was trained; its :meth:`Run.resume` goes on.
        step: optimizer steps done.
        total: optimizer steps in all.
        signal_number: of the signal.

    Example:
        >>> try:
        ...     run = aeplug.train("mnist-vae", steps=1, settings={"train.eval_items": 100})
        ... except aeplug.TrainingStopped as stop:  # Ctrl-C
        ...     run = stop.run.resume()
    """

    def __init__(self, run: Run, step: int, total: int, signal_number: int) -> None:
        super().__init__(f"stopped and saved at step {step} of {total} in {run.folder}")
        self.run, self.step, self.total, self.signal_number = run, step, total, signal_number
