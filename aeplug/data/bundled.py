"""Data that comes with aeplug."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

from aeplug.errors import DataError

DATA_VARIABLE = "AEPLUG_DATA"


def find_bundled(name: str) -> Path:
    """Where a bundled data set lies: ``$AEPLUG_DATA``, the checkout's ``data/``, or the wheel's.

    Raises:
        DataError: it is in none of them; the message says which were looked at.

    Example:
        >>> sorted(path.name for path in find_bundled("mnist").iterdir())[0]
        't10k-images-idx3-ubyte.gz'
    """
    package = Path(__file__).resolve().parents[1]
    places = [package.parent / "data", package / "bundled"]
    if os.environ.get(DATA_VARIABLE):
        places.insert(0, Path(os.environ[DATA_VARIABLE]).expanduser())
    for place in places:
        if (place / name).exists():
            return place / name
    raise DataError(
        f"bundled data '{name}' not found in {' or '.join(str(place) for place in places)}; "
        f"take the folder data/ of the source distribution and set {DATA_VARIABLE} to it"
    )


def extract_bundled(name: str, folder: Path) -> Path:
    """A bundled file as a file of its own in ``folder``: ``mnist/x.gz`` or ``tunes.zip!a/b.mid``.

    Raises:
        DataError: the bundled set or the member is not there.
    """
    outer, bang, member = name.partition("!")
    source = find_bundled(outer)
    folder.mkdir(parents=True, exist_ok=True)
    if not bang:
        return Path(shutil.copy(source, folder))
    try:
        with zipfile.ZipFile(source) as archive:
            content = archive.read(member)
    except (KeyError, zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{source} has no readable member '{member}': {error}") from error
    path = folder / Path(member).name
    path.write_bytes(content)
    return path
