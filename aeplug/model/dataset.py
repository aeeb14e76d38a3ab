"""The data set that a model was trained with, or another of its kind."""

from __future__ import annotations

from aeplug.config import resolve
from aeplug.data.opening import build_prepare, data_shape, folder_settings, open_dataset
from aeplug.errors import ConfigError
from aeplug.interfaces import Dataset, ReshapableDataset, supports
from aeplug.model.model import Model
from aeplug.plugins import Plugins


def evaluation_dataset(model: Model, path: str | None, plugins: Plugins) -> Dataset:
    """The data set a model was trained with, or the user's own at ``path``, in the model's shape.

    Raises:
        DataError: its files are missing or damaged.
        ConfigError: the task reads no data of the user's, or items do not fit the model.
    """
    config = model.config
    if path is not None:
        given = folder_settings(model.spec, path)
        config = resolve(model.spec, plugins, given)
        section = config.sections["data"]
        if supports(section.factory, ReshapableDataset):
            # A folder's files are brought to the shape that the model was built for.
            return section.factory.with_shape(section.config, model.shape)
    elif model.header.get("data_left_out"):
        raise ConfigError("this model was exported without the path of its data; give --data")
    dataset = open_dataset(config)
    shape = data_shape(build_prepare(config, dataset.shape), dataset)
    if shape.target != model.shape.target:
        raise ConfigError(
            f"items of the data have shape {shape.target}, "
            f"'{model.spec.name}' was built for {model.shape.target}"
        )
    return dataset
