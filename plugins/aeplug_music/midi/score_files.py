"""Files of notation as bytes: the tunes of an ABC book, the score in a compressed MusicXML file."""

from __future__ import annotations

import contextlib
import io
import re
import zipfile
from xml.etree import ElementTree

from aeplug.errors import FileError
from aeplug_music.midi.smf import MAX_BYTES

ABC = ".abc"
#: Largest score in a compressed file, bytes; MusicXML is packed to a thirtieth.
MAX_XML_BYTES = 16 * MAX_BYTES

_CONTAINER = "META-INF/container.xml"
_ROOT = "score-partwise"
#: The line that begins a tune of a book, and lines that hold for all of its tunes.
_TUNE = re.compile(r"^X:", re.MULTILINE)
_FIELD = re.compile(r"^(?:[A-Za-z]:|%%)")


def split_scores(content: bytes, suffix: str) -> list[str]:
    """The scores in a file, as text: the tunes of an ABC book, or one of MusicXML.

    Args:
        content: of the file.
        suffix: of the file; ABC's, or any other for MusicXML, compressed or not.

    Raises:
        FileError: it holds none, is too large or damaged.

    Example:
        >>> len(split_scores(b"X:1\\nK:C\\nCDE|\\n\\nX:2\\nK:G\\nGAB|\\n", ".abc"))
        2
    """
    if len(content) > MAX_BYTES:
        raise FileError(f"file too large (over {MAX_BYTES} bytes)")
    if suffix.lower() == ABC:
        return _split_book(_decode(content))
    if content[:2] == b"PK":
        content = _unpack(content)
    return [_to_text(content)]


def _decode(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _split_book(text: str) -> list[str]:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    begins = [match.start() for match in _TUNE.finditer(text)]
    if not begins:
        if not text.strip():
            raise FileError("empty file")
        return [text]
    head = "".join(
        line for line in text[: begins[0]].splitlines(keepends=True) if _FIELD.match(line)
    )
    tunes = []
    for begin, end in zip(begins, [*begins[1:], len(text)], strict=True):
        # A tune ends with an empty line; what follows is text.
        number, _, rest = text[begin:end].partition("\n")
        body = re.split(r"\n[ \t]*\n", rest.strip("\n"), maxsplit=1)[0]
        tunes.append(f"{number}\n{head}{body}\n")
    return tunes


def _unpack(content: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            name = _find_root(archive)
            with archive.open(name) as file:
                score = file.read(MAX_XML_BYTES + 1)
    except FileError:
        raise
    except Exception as error:
        # zipfile raises a dozen types: for bad checksums, encryption, unknown compression ...
        raise FileError(f"damaged compressed MusicXML ({error})") from error
    if len(score) > MAX_XML_BYTES:
        raise FileError(f"score too large (over {MAX_XML_BYTES} bytes)")
    return score


def _find_root(archive: zipfile.ZipFile) -> str:
    """The member that the container names, or else the first that may be a score."""
    names = archive.namelist()
    # Some programs write names into it without escaping what XML wants escaped.
    with contextlib.suppress(ElementTree.ParseError, KeyError):
        with archive.open(_CONTAINER) as file:
            container = ElementTree.fromstring(file.read(MAX_BYTES))
        for element in container.iter():
            path = element.get("full-path", "")
            if element.tag.endswith("rootfile") and path in names:
                return path
    for name in names:
        if name.lower().endswith((".musicxml", ".xml")) and not name.startswith("META-INF/"):
            return name
    raise FileError("compressed MusicXML without a score")


def _to_text(content: bytes) -> str:
    """A score as text, whatever it is encoded in."""
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise FileError(f"not readable as MusicXML ({error})") from error
    if root.tag != _ROOT:
        raise FileError(f"not readable as MusicXML (it is <{root.tag}>, expected <{_ROOT}>)")
    return ElementTree.tostring(root, encoding="unicode")
