"""Checks of what codecs claim to be able to do."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from aeplug.checks.codec import write_document
from aeplug.checks.outcome import brief, expect
from aeplug.checks.workbench import Workbench
from aeplug.data.batching import count_pieces
from aeplug.interfaces import (
    CandidateCodec,
    ChainingCodec,
    ComparableCodec,
    ConstrainableCodec,
    Document,
    FormatCodec,
    LossyCodec,
    PicturedCodec,
    PlayableCodec,
    SequencedCodec,
    StreamingCodec,
)


def check_chunks(codec: StreamingCodec, bench: Workbench) -> None:
    """Cut into chunks, through the model, and put together again it is a document."""
    document, count = bench.document(), 0

    def results() -> Iterator[Tensor]:
        nonlocal count
        for raw in codec.chunks(document):
            count += 1
            yield bench.model.reconstruct_batch(bench.model.prepare_file(raw))

    _expect_document(codec.assemble(results(), document), "assemble(results, like)")
    expect(count, "chunks(document) to give at least one chunk", "none, or assemble took none")


def check_suffixes(codec: FormatCodec, bench: Workbench) -> None:
    """Of every file that it reads it names a suffix, and writes files of that."""
    document, suffixes = bench.document(), bench.codec_spec.suffixes
    for suffix in suffixes:
        result_suffix = codec.suffix_for(Path(f"name{suffix}"))
        good = isinstance(result_suffix, str) and result_suffix.startswith(".")
        expect(
            good,
            f"suffix_for a file '{suffix}' to give a suffix with its dot",
            brief(result_suffix),
        )
        path = bench.folder / f"as{suffix}"
        file = write_document(codec, replace(document, suffix=result_suffix), path, bench.options)
        expect(
            file.suffix == result_suffix,
            f"a document of suffix '{result_suffix}' in such a file",
            file.suffix,
        )


def check_sequence(codec: SequencedCodec, bench: Workbench) -> None:
    """A document has pieces to go on from, and is longer by those put behind it."""
    none = codec.num_pieces({})
    expect(none == 0 and isinstance(none, int), "num_pieces({}) to be 0", brief(none))
    document = bench.document(times=4)
    before = count_pieces(codec.split(document))
    raw = codec.context_pieces(document)
    columns = sorted(codec.split(document))
    expect(sorted(raw) == columns, f"the columns {columns} from context_pieces", f"{sorted(raw)}")
    expect(count_pieces(raw) > 0, "at least one piece from context_pieces", "none")
    longer = codec.append_pieces(document, *bench.item(times=2))
    _expect_document(longer, "append_pieces(document, pieces, cond)")
    after = count_pieces(codec.split(longer))
    expect(after > before, f"more than {before} pieces with two behind them", f"{after}")


def check_chain(codec: ChainingCodec, bench: Workbench) -> None:
    """Two documents in a row are longer than one, and can be written."""
    document = bench.document()
    both = codec.chain([document, bench.document(1)], "both")
    _expect_document(both, "chain(documents, name)")
    expect(both.name == "both", "chain(documents, 'both') to be called 'both'", f"'{both.name}'")
    alone, together = (count_pieces(codec.split(each)) for each in (document, bench.reread(both)))
    expect(together > alone, f"more than {alone} pieces of two documents in a row", f"{together}")


def check_comparison(codec: ComparableCodec, bench: Workbench) -> None:
    """A file's pieces are like decoders'; a distance is 0 of equal ones, and the same both ways."""
    raw = codec.split(bench.document(times=3))
    cond = bench.model.prepare_file(raw).cond
    pieces, (item, _) = codec.as_pieces(raw), bench.item(1, times=count_pieces(raw))
    form, expected = (f"{each.dtype} {tuple(each.shape)}" for each in (pieces, item))
    expect(form == expected, f"as_pieces(raw) like what decoders give, {expected}", form)
    count = (len(pieces),)
    there, back = codec.distance(pieces, item, cond), codec.distance(item, pieces, cond)
    for distances in (there, codec.distance(pieces, pieces, cond)):
        expect(
            tuple(distances.shape) == count, f"a distance of each piece, {count}", brief(distances)
        )
        in_range = bool(((distances >= 0) & (distances <= 1)).all())
        expect(in_range, "distance(pieces, others, cond) in 0..1", brief(distances))
    expect(not bool(distances.any()), "distance(pieces, pieces, cond) to be 0", brief(distances))
    expect(torch.allclose(there, back), "the same distance both ways", f"{there} and {back}")
    blank = codec.is_blank(pieces, cond)
    good = blank.dtype == torch.bool and tuple(blank.shape) == count
    expect(good, f"is_blank(pieces, cond) as bool {count}", brief(blank))


def check_constraints(codec: ConstrainableCodec, bench: Workbench) -> None:
    """The bias, of a document and of none, fits the decoder's logits, and allows some class."""
    shape = bench.model.shape
    # Items of real values may have classes within, such as which drums are hit.
    sizes = f"(1, 1 or {shape.target[0]}, {shape.classes or 'classes'})"
    for like in (None, bench.document(times=3)):
        bias = codec.logit_bias(like)
        if bias is None:
            continue
        fits = bias.dim() == 3 and len(bias) == 1 and bias.shape[1] in (1, shape.target[0])
        fits = fits and bias.shape[2] == (shape.classes or bias.shape[2])
        expect(fits, f"logit_bias(like) of shape {sizes}", brief(bias))
        allowed = bool((bias > -torch.inf).any(-1).all())
        expect(allowed, "logit_bias(like) to allow a class at every step", "none")


def check_candidates(codec: CandidateCodec, bench: Workbench) -> None:
    """Every candidate gets a log-weight, and one of them at least can be drawn."""
    number = codec.item_candidates
    whole = isinstance(number, int) and not isinstance(number, bool) and number >= 1
    expect(whole, "item_candidates of the codec, at least 1", brief(number))
    (first, classes), (other, _) = bench.item(0, times=2), bench.item(1, times=1)
    candidates, logits = torch.cat([first, other]), torch.tensor([0.0, -1.0, -2.0])
    for count in (0, 2):
        cond = {name: value[:1].repeat(count + 1) for name, value in classes.items()}
        for last in (False, True):
            found = codec.weigh_candidates(first[:count], candidates, logits.clone(), cond, last)
            good = found.dtype == torch.float32 and tuple(found.shape) == (len(candidates),)
            expect(good, f"weigh_candidates(...) as float32 ({len(candidates)},)", brief(found))
            drawn = bool((found > -torch.inf).any()) and not bool(found.isnan().any())
            expect(drawn, "weigh_candidates(...) to leave a candidate", brief(found))


def check_file_loss(codec: LossyCodec, bench: Workbench) -> None:
    """A share; how much is lost is the check of the codec."""
    share = codec.file_loss
    number = isinstance(share, (int, float)) and not isinstance(share, bool)
    expect(number and 0 <= share <= 1, "file_loss of the codec in 0..1", brief(share))


def check_thumbnail(codec: PicturedCodec, bench: Workbench) -> None:
    """Pictures of one size for all items."""
    sizes = set()
    for row in (0, 1):
        picture = codec.thumbnail(bench.document(row))
        good = isinstance(picture, np.ndarray) and picture.dtype == np.uint8
        good = good and picture.ndim == 3 and picture.shape[2] == 3
        form = f"{picture.dtype} {picture.shape}" if isinstance(picture, np.ndarray) else "another"
        expect(good, "thumbnail(document) as uint8 (h, w, 3)", form)
        sizes.add(picture.shape)
    expect(len(sizes) == 1, "thumbnails of one size", " and ".join(map(str, sizes)))


def check_notes(codec: PlayableCodec, bench: Workbench) -> None:
    """Notes in order, each of some length, at pitches of MIDI."""
    notes = codec.playable(bench.document())
    for begin, duration, pitch in notes:
        good = begin >= 0 and duration > 0 and 0 <= pitch <= 127
        expect(good, "seconds from 0 and MIDI pitches 0..127", f"{(begin, duration, pitch)}")
    ordered = all(a[0] <= b[0] for a, b in itertools.pairwise(notes))
    expect(ordered, "playable(document) in the order of begins", "another")


def _expect_document(value: object, call: str) -> None:
    expect(isinstance(value, Document), f"{call} to give a Document", type(value).__name__)


CODEC_CHECKS: Mapping[type, Callable[[Any, Workbench], None]] = {
    StreamingCodec: check_chunks,
    FormatCodec: check_suffixes,
    SequencedCodec: check_sequence,
    ChainingCodec: check_chain,
    ComparableCodec: check_comparison,
    ConstrainableCodec: check_constraints,
    CandidateCodec: check_candidates,
    LossyCodec: check_file_loss,
    PicturedCodec: check_thumbnail,
    PlayableCodec: check_notes,
}
