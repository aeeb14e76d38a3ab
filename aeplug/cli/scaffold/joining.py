"""Two modules as one: the hooks and the parts of a single-file plug-in."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable


def join_modules(hooks: str, parts: str) -> str:
    """One source of both: the first's docstring, all imports in order, hooks, then parts."""
    sources = [hooks, parts]
    trees = [ast.parse(source) for source in sources]
    docstring = _segment(hooks, trees[0].body[0])
    imports = [node for tree in trees for node in tree.body if _is_import(node)]
    bodies = [_body(source, tree) for source, tree in zip(sources, trees, strict=True)]
    return (
        "\n\n".join([docstring, *_sort_imports(imports)]) + "\n\n\n" + "\n\n\n".join(bodies) + "\n"
    )


def _is_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _body(source: str, tree: ast.Module) -> str:
    """What follows the docstring and the imports, comments included."""
    last = max(node.end_lineno or 0 for node in [*tree.body[:1], *filter(_is_import, tree.body)])
    return "\n".join(source.splitlines()[last:]).strip()


def _segment(source: str, node: ast.stmt) -> str:
    return ast.get_source_segment(source, node) or ""


def _sort_imports(imports: Iterable[ast.stmt]) -> list[str]:
    """Blocks of import lines: the future, the standard library, the rest."""
    plain: set[str] = set()
    names: dict[str, set[str]] = {}
    for node in imports:
        if isinstance(node, ast.Import):
            plain |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.setdefault(node.module or "", set()).update(alias.name for alias in node.names)
    blocks: list[list[str]] = [[], [], []]
    for module in sorted(plain):
        blocks[_block(module)].append(f"import {module}")
    for module in sorted(names):
        blocks[_block(module)].append(_from(module, sorted(names[module], key=_rank)))
    return ["\n".join(block) for block in blocks if block]


def _rank(name: str) -> tuple[bool, bool, str]:
    """Constants, classes, then functions, as linters sort them."""
    return not name.isupper(), not name[0].isupper(), name


def _block(module: str) -> int:
    if module == "__future__":
        return 0
    return 1 if module.partition(".")[0] in sys.stdlib_module_names else 2


def _from(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= 100:
        return line
    return "\n".join([f"from {module} import (", *(f"    {name}," for name in names), ")"])
