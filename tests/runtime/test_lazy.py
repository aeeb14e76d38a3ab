"""Lazy packages: names come from where type checkers are told that they are."""

import sys
from importlib import import_module

import pytest

FACE = """
from typing import TYPE_CHECKING
from aeplug.runtime.lazy import lazy_exports
if TYPE_CHECKING:
    from lazy_package.inner import VALUE, other
__all__ = ["VALUE", "other"]
__getattr__, __dir__ = lazy_exports(__name__)
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "lazy_package"
    folder.mkdir()
    (folder / "__init__.py").write_text(FACE)
    (folder / "inner.py").write_text("VALUE = 3\ndef other(): return 4\nhidden = 5\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield import_module("lazy_package")
    for name in ("lazy_package", "lazy_package.inner"):
        sys.modules.pop(name, None)


def test_a_module_is_imported_with_the_first_of_its_names(package):
    assert "lazy_package.inner" not in sys.modules
    assert (package.VALUE, package.other()) == (3, 4)
    assert "lazy_package.inner" in sys.modules


def test_the_names_are_listed_before_they_are_imported(package):
    assert {"VALUE", "other"} <= set(dir(package))
    assert "lazy_package.inner" not in sys.modules


def test_what_is_not_exported_is_refused_by_name(package):
    with pytest.raises(AttributeError, match="'lazy_package' has no attribute 'hidden'"):
        package.hidden  # noqa: B018
