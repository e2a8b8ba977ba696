"""Lines of a text file: UTF-8, or UTF-16 and UTF-32 with their mark, packed or not, one bounded line at a time.

A line ends at a line feed, or in a file without any at a carriage return. Nothing else ends a line: U+2028, U+0085 and
form feeds are characters of a sentence.
"""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO, cast

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import check_is_file, reason

Skip = Callable[[str], None]
"""Called with the reason for every line or row that is left out."""

LONGEST_LINE = 1 << 20
"""Bytes; a longer line is left out, and never held in memory as a whole."""

_HOPELESS_LINE = 64 << 20
_BLOCK = 1 << 16
_GZIP = b"\x1f\x8b"
_MARKS = (  # the marks of UTF-32 begin with those of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_SEPARATORS = "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u2028\u2029"
_INVISIBLE = "\u00ad\u200b\u2060\ufeff"
"""Soft hyphen, zero-width space, word joiner and byte order mark; joiners that shape letters and emoji are not among them."""

_SPACES = re.compile(" {2,}")
_ON_ONE_LINE = str.maketrans(_SEPARATORS, " " * len(_SEPARATORS), _INVISIBLE)


def text_lines(path: Path, skip: Skip) -> Iterator[str]:
    """Lines without their line feed; bytes that are not UTF-8 stay as lone surrogates (``surrogateescape``).

    Raises:
        CodeUnlearnError: the file cannot be read, is a damaged gzip or UTF-16 file, or is no text.
    """
    check_is_file(path)
    blocks = _utf8(_blocks(path), path)
    first = next(blocks, b"")
    if 10 * first.count(0) > len(first):
        raise CodeUnlearnError(
            f"{path} is no UTF-8 text: it is full of null bytes, as UTF-16 without its mark is; convert it to UTF-8, for "
            "instance with iconv."
        )
    end = b"\r" if b"\r" in first and b"\n" not in first else b"\n"
    for line in _split(chain([first], blocks), end, path, skip):
        yield line.decode("utf-8", "surrogateescape").removeprefix("\ufeff")


def read_sentences(path: Path) -> list[str]:
    """The lines of a file with one sentence a line.

    Raises:
        CodeUnlearnError: it cannot be read as UTF-8 text.
    """
    left_out: list[str] = []
    lines = [line.rstrip("\r") for line in text_lines(path, left_out.append)]
    number = next((i for i, line in enumerate(lines, start=1) if not is_unicode(line)), None)
    if left_out or number is not None:
        fault = f"line {number} is not UTF-8" if number else f"a line is {left_out[0]}"
        raise CodeUnlearnError(f"{path} cannot be read as UTF-8 text ({fault}); give a file with one sentence a line.")
    return lines


def one_line(sentence: str) -> str:
    """The sentence as it reads, on one line: single spaces for tabs, line separators and runs of them, nothing invisible.

    Spaces that do not break, which French puts before some marks, stay.
    """
    return _SPACES.sub(" ", sentence.translate(_ON_ONE_LINE)).strip(" ")


def is_unicode(text: str) -> bool:
    """Whether the text holds no lone surrogate: bytes that were not UTF-8, or half a pair out of JSON."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _blocks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as plain:
            packed = path.suffix == ".gz" or plain.read(len(_GZIP)) == _GZIP
            plain.seek(0)
            file = cast(BinaryIO, gzip.GzipFile(fileobj=plain)) if packed else plain
            while block := file.read(_BLOCK):
                yield block
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise CodeUnlearnError(
            f"{path} is not a whole gzip file ({reason(error)}); download or compress it again."
        ) from error
    except OSError as error:
        raise CodeUnlearnError(f"{path} cannot be read ({reason(error)}).") from error


def _utf8(blocks: Iterator[bytes], path: Path) -> Iterator[bytes]:
    first = next(blocks, b"")
    mark, encoding = next(((m, e) for m, e in _MARKS if first.startswith(m)), (b"", ""))
    if not encoding:
        yield from chain([first], blocks)
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for block in chain([first[len(mark) :]], blocks):
            yield decoder.decode(block).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeDecodeError as error:
        name = encoding.upper().rpartition("-")[0]
        raise CodeUnlearnError(
            f"{path} begins as {name} and is not ({error.reason}); write it again as UTF-8."
        ) from error


def _split(blocks: Iterator[bytes], end: bytes, path: Path, skip: Skip) -> Iterator[bytes]:
    held, length = b"", 0
    for block in blocks:
        *whole, rest = block.split(end)
        for part in whole:
            if length + len(part) > LONGEST_LINE:
                skip(f"longer than {LONGEST_LINE:,} bytes")
            else:
                yield held + part
            held, length = b"", 0
        length += len(rest)
        if length > _HOPELESS_LINE:
            raise CodeUnlearnError(f"{path} has a line of more than {_HOPELESS_LINE >> 20} MiB; it holds no sentences.")
        held = held + rest if length <= LONGEST_LINE else b""
    if length > LONGEST_LINE:
        skip(f"longer than {LONGEST_LINE:,} bytes")
    elif held:
        yield held
