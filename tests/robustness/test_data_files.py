"""Parallel text is read as what it is, or refused in one sentence: never columns or characters that were guessed wrongly."""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from case import Accepted, Case, Check, Either, Refused, expect, made_always, refused, some
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from outcome import Outcome, call
from place import Place
from world import LINES, good

PAIRS = [(f"The dog number {i} sleeps.", f"Le chien numéro {i} dort.") for i in range(30)]
ASCII = [(f"Cats eat fish {i}.", f"Les chats mangent du poisson {i}.") for i in range(30)]
ENGLISH, FRENCH = [e for e, _ in PAIRS], [f for _, f in PAIRS]
Row = dict[str, Any]


def read(name: str, content: bytes | str | Callable[[Path], Any], **options: Any) -> Callable[[Place], Outcome]:
    """Reads a file of this content as parallel text."""

    def do(place: Place) -> Outcome:
        from codeunlearn.corpus.loading import DataConfig, load_pairs

        path = place.path / name
        if callable(content):
            content(path)
        else:
            place.write(name, content)
        return place.call(lambda: pairs_of(load_pairs(DataConfig(str(path), **options))))

    return do


def pairs_of(loaded: Any) -> list[tuple[str, str]]:
    return list(zip(loaded.dataset["source"], loaded.dataset["target"], strict=True))


def gives(pairs: list[tuple[str, str]]) -> Check:
    def check(outcome: Outcome, _place: Place) -> bool:
        assert outcome.result == pairs, f"{len(outcome.result)} pairs, the first {outcome.result[:2]}, not {pairs[:1]}"
        return True

    return check


def right(pairs: list[tuple[str, str]]) -> Accepted:
    return Accepted(gives(pairs))


def either(pairs: list[tuple[str, str]], *names: str) -> Either:
    return Either(Refused(names), right(pairs))


def tsv(pairs: list[tuple[str, str]] = PAIRS, header: str = "", end: str = "\n") -> str:
    return header + "".join(f"{e}\t{f}{end}" for e, f in pairs)


def csv_text(pairs: list[tuple[str, str]], delimiter: str = ",", header: tuple[str, ...] = ()) -> str:
    import csv

    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([header] * bool(header) + [list(pair) for pair in pairs])
    return text.getvalue()


def jsonl(rows: list[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def named(source: str, target: str, more: Callable[[int], Row] = lambda _: {}) -> str:
    return jsonl([{**more(i), source: e, target: f} for i, (e, f) in enumerate(PAIRS)])


def parquet(rows: list[Row], schema: Any = None) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows, schema=schema() if schema else None), path)

    return write


def cut_parquet(share: float) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        parquet([{"en": e, "fr": f} for e, f in PAIRS])(path)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])

    return write


def hub_rows(i: int) -> Row:
    return {"source": "opus_books", "target": "train", "id": str(i)}


def nested(i: int) -> Row:
    return {**hub_rows(i), "translation": {"en": ENGLISH[i], "fr": FRENCH[i]}}


def translate(stdin: bytes, model: str = "model") -> Callable[[Place], Outcome]:
    return lambda place: place.run("translate", getattr(place.world, model), stdin=stdin)


def lines(count: int, like: bytes | None = None) -> Accepted:
    """So many lines come out; the same as for ``like``, which reads the same."""

    def check(outcome: Outcome, place: Place) -> bool:
        assert outcome.shown.count("\n") == count, f"{outcome.shown.count(chr(10))} lines, not {count}"
        if like is not None:
            assert outcome.shown == good("translate", place.world.model, stdin=like)
        return True

    return Accepted(check)


def tokens_end_once(text: str) -> Callable[[Place], Outcome]:
    """How often the mark for the end of a sentence stands in its tokens, wherever a pair goes."""

    def do(place: Place) -> Outcome:
        from datasets import Dataset

        from codeunlearn.codebook import load_model, load_tokenizer
        from codeunlearn.tasks.base import TASKS, View
        from codeunlearn.tasks.batches import tokenize_pairs

        tokenizer = load_tokenizer(place.world.model)
        view = View(load_model(place.world.model), tokenizer, "")
        rows = Dataset.from_dict({"source": [text], "target": [text]})
        found: Any = call(lambda: list(tokenize_pairs(rows, TASKS.get("translation"), view, 128)))
        if found.kind != "done":
            return found
        ids = [value for row in found.result for value in _lists(row)]
        return Outcome("done", result=[row.count(tokenizer.eos_token_id) for row in ids])

    return do


def _lists(row: Any) -> list[list[int]]:
    values = row.values() if isinstance(row, dict) else row if isinstance(row, (list, tuple)) else vars(row).values()
    return [list(value) for value in values if isinstance(value, (list, tuple)) or hasattr(value, "tolist")]


def only_of(pool: str) -> str:
    """Pairs that all fall into one pool."""
    from codeunlearn.corpus.pools import pool_of

    return tsv([(e, f) for e, f in ((f"A line {i}.", f"Une ligne {i}.") for i in range(200)) if pool_of(e) == pool][:5])


def with_data(*arguments: Any, content: str) -> Callable[[Place], Outcome]:
    def do(place: Place) -> Outcome:
        data = place.write("few.tsv", content)
        return place.run(*(a(place) if callable(a) else a for a in arguments), "--data", data, "--device", "cpu")

    return do


def sentences(text: str | bytes) -> Callable[[Place], Outcome]:
    """A topic given as a file of sentences."""

    def do(place: Place) -> Outcome:
        from codeunlearn.corpus.topics import Topic

        path = place.write("sentences.txt", text)
        return place.call(lambda: sorted(Topic.from_sentences("mine", path).sentences))

    return do


U2028 = "\u2028"
UNKNOWN_HEADERS = [
    (("id", "english_text", "french_text"), [(str(i), e, f) for i, (e, f) in enumerate(PAIRS)]),
    (("id", "phrase", "phrase traduite"), [(str(i), e, f) for i, (e, f) in enumerate(PAIRS)]),
    (("lang", "split", "sentence_en", "sentence_fr"), [("en", "train", e, f) for e, f in PAIRS]),
    (("lang", "split", "one", "other"), [("en", "train", e, f) for e, f in PAIRS]),
    (("book", "split", "one", "other"), [(f"b{i % 3}", ("train", "test")[i % 2], *PAIRS[i]) for i in range(30)]),
    (("french", "English sentence"), [(f, e) for e, f in PAIRS]),
    (("fra", "eng"), [(f, e) for e, f in PAIRS]),
]
CASES = [
    Case("a TSV file", read("a.tsv", tsv()), right(PAIRS)),
    Case("with a header", read("a.tsv", tsv(header="source\ttarget\n")), right(PAIRS)),
    Case("with a header in another order", read("a.tsv", "fr\ten\n" + "".join(f"{f}\t{e}\n" for e, f in PAIRS)), right(PAIRS)),
    Case("Windows line ends", read("a.tsv", tsv(end="\r\n")), right(PAIRS)),
    Case("old line ends (CR)", read("a.tsv", tsv(end="\r")), either(PAIRS, "a.tsv")),
    Case("a byte order mark", read("a.tsv", "\ufeff" + tsv()), right(PAIRS)),
    Case("U+2028 inside a sentence", read("a.tsv", tsv([(f"One{U2028}two.", "Un deux."), *PAIRS])), Accepted(lambda o, p: len(o.result) == 31 and o.result[1:] == PAIRS)),
    *some(
        Case(f"{encoding}{' without accents' if pairs is ASCII else ''}", read("a.tsv", tsv(pairs).encode(encoding)), either(pairs, "a.tsv"))
        for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be") for pairs in (PAIRS, ASCII)
    ),
    *some(
        Case(f"JSON Lines in {encoding}", read("a.jsonl", jsonl([{"en": e, "fr": f} for e, f in ASCII]).encode(encoding)), either(ASCII, "a.jsonl"))
        for encoding in ("utf-16", "utf-16-le", "utf-32")
    ),
    Case("latin-1", read("a.tsv", tsv([(e, f) for e, f in PAIRS]).encode("latin-1")), refused("a.tsv")),
    Case("one line that is not UTF-8", read("a.tsv", tsv().encode() + b"\xff\xfe\t\xff\n"), right(PAIRS)),
    Case("zero bytes inside", read("a.tsv", tsv().replace("dog", "d\0og").encode()), either([(e, f) for e, f in PAIRS], "a.tsv")),
    Case("zero bytes in one row", read("a.tsv", tsv() + "a\0b\tc\n"), Either(refused("a.tsv"), Accepted(lambda o, _: o.result in (PAIRS, [*PAIRS, ("ab", "c")])))),
    Case("empty", read("a.tsv", ""), refused("a.tsv")),
    Case("only empty lines", read("a.tsv", "\n\n\n"), refused("a.tsv")),
    Case("only spaces and tabs", read("a.tsv", " \t \n" * 10), refused("a.tsv")),
    Case("one column", read("a.tsv", "".join(f"{e}\n" for e in ENGLISH)), refused("a.tsv")),
    Case("one row that misses a side", read("a.tsv", tsv() + "alone\n" + "\tseul\n"), right(PAIRS)),
    *(
        Case(f"a side of U+{ord(mark):04X} alone", read(name, content.replace("MARK", mark)), right(PAIRS))
        for mark in "\u200b\u00ad\u2060\ufeff\u3164\u00a0\u200d\u2800\U000e0061"
        for name, content in (("a.tsv", tsv() + "hello you\tMARK\n MARK \tbonjour toi\n"), ("a.jsonl", named("en", "fr") + json.dumps({"en": "hello", "fr": "MARK"}) + "\n"))
    ),
    Case("sides of marks that are seen", read("a.tsv", tsv([("?", "…"), ("_", "☃"), *PAIRS])), right([("?", "…"), ("_", "☃"), *PAIRS])),
    *(
        Case(f"a field of {length:,} characters in a {kind}", read(f"a.{kind}", csv_text([("x" * length, "long"), *PAIRS], end)), right(PAIRS))
        for length in (131_073, 900_000) for kind, end in (("csv", ","), ("tsv", "\t"))
    ),
    Case("a field of many lines and 200,000 characters", read("a.csv", csv_text([("x y\n" * 50_000, "long"), *PAIRS])), right(PAIRS)),
    Case("a quote that never ends, with 3 million characters behind", read("a.csv", csv_text(PAIRS) + '"open,' + "x\n" * 1_500_000), refused("a.csv", "quote")),
    Case("a constant column", read("a.tsv", "".join(f"train\t{e}\t{f}\n" for e, f in PAIRS)), either(PAIRS, "a.tsv")),
    Case("a column of numbers", read("a.tsv", "".join(f"{i}\t{e}\t{f}\n" for i, (e, f) in enumerate(PAIRS))), either(PAIRS, "a.tsv")),
    Case("a column of numbers in the second place", read("a.tsv", "".join(f"{e}\t{i}\t{f}\n" for i, (e, f) in enumerate(PAIRS))), either(PAIRS, "a.tsv")),
    Case("both columns the same", read("a.tsv", "".join(f"{e}\t{e}\n" for e in ENGLISH)), Either(refused("a.tsv"), Accepted())),
    Case("columns by number", read("a.tsv", "".join(f"{i}\t{e}\t{f}\n" for i, (e, f) in enumerate(PAIRS)), source_column="2", target_column="3"), right(PAIRS)),
    Case("columns by number of a header", read("a.tsv", "id\ta\tb\n" + "".join(f"{i}\t{e}\t{f}\n" for i, (e, f) in enumerate(PAIRS)), source_column="a", target_column="b"), right(PAIRS)),
    *some(
        Case(f"column {column!r}", read("a.tsv", tsv(), source_column=column, target_column="2"), refused(column or "column"))
        for column in ("3", "0", "-1", "99", "none", "1.5")
    ),
    Case("one column for both sides", read("a.tsv", tsv(), source_column="1", target_column="1"), refused()),
    Case("only one column named", read("a.tsv", tsv(), source_column="1"), refused("--target-column")),
    Case("quoted CSV", read("a.csv", csv_text([("A, b.", "C, d."), *PAIRS])), either([("A, b.", "C, d."), *PAIRS], "a.csv")),
    Case("quoted CSV with a header", read("a.csv", csv_text(PAIRS, header=("en", "fr"))), either(PAIRS, "a.csv")),
    Case("quoted TSV", read("a.tsv", csv_text([('He said "no".', 'Il a dit « non ».'), *PAIRS], "\t")), either([('He said "no".', 'Il a dit « non ».'), *PAIRS], "a.tsv")),
    Case("a quotation in a TSV", read("a.tsv", tsv([('"No," he said.', '« Non », dit-il.'), *PAIRS])), right([('"No," he said.', '« Non », dit-il.'), *PAIRS])),
    Case("a lone quotation mark in a TSV", read("a.tsv", tsv([('"No, he said.', 'Non.'), *PAIRS])), right([('"No, he said.', 'Non.'), *PAIRS])),
    *some(
        Case(f"a header {'/'.join(header)} that is not known", read(name, "".join(end.join(cells) + "\n" for cells in (header, *rows))), refused(name, "--source-column"))
        for name, end in (("a.tsv", "\t"), ("a.csv", ",")) for header, rows in UNKNOWN_HEADERS
    ),
    Case("a header with longer names, by number", read("a.tsv", tsv(header="english_text\tfrench_text\n"), source_column="1", target_column="2"), right(PAIRS)),
    Case("a header with longer names, by name", read("a.tsv", tsv(header="english_text\tfrench_text\n"), source_column="english_text", target_column="french_text"), right(PAIRS)),
    Case("a first sentence on languages", read("a.tsv", tsv([("I speak English.", "Je parle français, pas anglais."), *PAIRS])), right([("I speak English.", "Je parle français, pas anglais."), *PAIRS])),
    Case("numbers in nearly every row", read("a.tsv", "".join(f"{i if i else 'none'}\t{f}\n" for i, f in enumerate(FRENCH)) + "x\ty z\n"), refused("a.tsv")),
    Case("one value in nearly every row", read("a.jsonl", jsonl([{"source": "opus" if i else "books", "target": f} for i, f in enumerate(FRENCH)])), refused("a.jsonl")),
    *some(
        Case(f"metadata as source and target: {what}", read("a.jsonl", named("en", "fr", more)), right(PAIRS))
        for what, more in (
            ("places", lambda i: {"source": f"books/ch{i}.txt", "target": f"row-{i}"}),
            ("labels", lambda i: {"source": ("tatoeba", "opus_books")[i % 2], "target": ("test", "train", "validation")[i % 3]}),
            ("hashes", lambda i: {"source": f"{i:08x}a1", "target": f"https://example.org/{i}"}),
        )
    ),
    *some(
        Case(f"two pairs of columns of sentences: {name}", read(f"a.{name}", content), refused(f"a.{name}", "several"))
        for name, content in (
            ("jsonl", named("en", "fr", lambda i: {"source": f"The novel number {i}", "target": f"The chapter number {i}"})),
            ("tsv", "source\ttarget\ten\tfr\n" + "".join(f"Line {i} of it\tOf book {i}\t{e}\t{f}\n" for i, (e, f) in enumerate(PAIRS))),
            ("parquet", parquet([{"english": e, "french": f, "src": f"Said by {i}", "tgt": f"To number {i}"} for i, (e, f) in enumerate(PAIRS)])),
        )
    ),
    Case("JSON Lines", read("a.jsonl", named("en", "fr")), right(PAIRS)),
    Case("rows of the Hub", read("a.jsonl", jsonl([nested(i) for i in range(30)])), right(PAIRS)),
    Case("rows of the Hub under other names", read("a.jsonl", jsonl([{"en": "opus", "fr": "train", "translation": {"en": e, "fr": f}} for e, f in PAIRS])), either(PAIRS, "a.jsonl")),
    Case("a nested column by name", read("a.jsonl", jsonl([nested(i) for i in range(30)]), source_column="translation.en", target_column="translation.fr"), right(PAIRS)),
    Case("a constant column by guess", read("a.jsonl", jsonl([{"source": "opus", "target": "train", "x": e, "y": f} for e, f in PAIRS])), refused("a.jsonl")),
    Case("numbers in a column by guess", read("a.jsonl", jsonl([{"source": i, "target": f} for i, (_, f) in enumerate(PAIRS)])), refused("a.jsonl")),
    Case("numbers as text in a column by guess", read("a.jsonl", jsonl([{"source": str(i), "target": f} for i, (_, f) in enumerate(PAIRS)])), refused("a.jsonl")),
    Case("a column that only some rows have", read("a.jsonl", jsonl([{"en": e} if i == 0 else {"en": e, "fr": f} for i, (e, f) in enumerate(PAIRS)])), right(PAIRS[1:])),
    Case("a JSON array", read("a.json", json.dumps([{"en": e, "fr": f} for e, f in PAIRS])), either(PAIRS, "a.json")),
    Case("a JSON array over many lines", read("a.json", json.dumps([{"en": e, "fr": f} for e, f in PAIRS], indent=1)), either(PAIRS, "a.json")),
    *some(
        Case(f"a row that is {what}", read("a.jsonl", named("en", "fr") + row + "\n"), either(PAIRS, "a.jsonl"))
        for what, row in (
            ("no JSON", "{"), ("a list", "[1]"), ("null", "null"), ("deep", "[" * 100_000), ("deep in objects", '{"en":' * 50_000),
            ("a 5,000-digit number", '{"en": ' + "7" * 5000 + ', "fr": "x"}'), ("a number", "7" * 5000), ("NaN", '{"en": NaN, "fr": "x"}'),
            ("a lone surrogate", '{"en": "a \\ud800", "fr": "b \\udfff"}'), ("of other types", '{"en": ["a"], "fr": {"b": 1}}'),
        )
    ),
    Case("only rows with lone surrogates", read("a.jsonl", jsonl([{"en": "a\ud800", "fr": "b\udfff"}] * 3)), refused("a.jsonl")),
    Case("Parquet", read("a.parquet", parquet([{"en": e, "fr": f} for e, f in PAIRS])), right(PAIRS)),
    Case("Parquet with an empty first row", read("a.parquet", parquet([{"translation": None}, *({"translation": {"en": e, "fr": f}} for e, f in PAIRS)])), right(PAIRS)),
    Case("Parquet with empty columns first", read("a.parquet", parquet([{"en": None, "fr": None}, *({"en": e, "fr": f} for e, f in PAIRS)])), right(PAIRS)),
    Case("Parquet of the Hub", read("a.parquet", parquet([nested(i) for i in range(30)])), right(PAIRS)),
    Case("Parquet of numbers", read("a.parquet", parquet([{"source": i, "target": i} for i in range(9)])), refused("a.parquet")),
    Case("Parquet without rows", read("a.parquet", parquet([], lambda: __import__("pyarrow").schema([("en", "string"), ("fr", "string")]))), refused("a.parquet")),
    Case("Parquet without columns", read("a.parquet", parquet([{}])), refused("a.parquet")),
    *some(Case(f"Parquet cut at {share}", read("a.parquet", cut_parquet(share)), refused("a.parquet")) for share in (0.01, 0.3, 0.9, 0.999)),
    Case("no Parquet", read("a.parquet", tsv()), refused("a.parquet")),
    Case("compressed", read("a.tsv.gz", gzip.compress(tsv().encode())), right(PAIRS)),
    Case("compressed without saying so", read("a.tsv", gzip.compress(tsv().encode())), right(PAIRS)),
    Case("not compressed though it says so", read("a.tsv.gz", tsv()), refused("a.tsv.gz")),
    Case("compressed twice", read("a.tsv.gz", gzip.compress(gzip.compress(tsv().encode()))), refused("a.tsv.gz")),
    *some(Case(f"compressed and cut at {share}", read("a.tsv.gz", gzip.compress(tsv().encode())[: int(len(gzip.compress(tsv().encode())) * share)]), refused("a.tsv.gz")) for share in (0.02, 0.3, 0.9)),
    Case("compressed with something behind", read("a.tsv.gz", gzip.compress(tsv().encode()) + b"garbage"), either(PAIRS, "a.tsv.gz")),
    Case("a line of 60 million characters", read("a.tsv.gz", gzip.compress(b"x" * 60_000_000 + b"\n" + tsv().encode(), 1)), either(PAIRS, "a.tsv.gz")),
    Case("a pipe", read("a.tsv", os.mkfifo), refused("a.tsv")),
    Case("a folder", read("a.tsv", lambda path: path.mkdir()), refused("a.tsv")),
    Case("a link to nowhere", read("a.tsv", lambda path: path.symlink_to("none")), refused("a.tsv")),
    Case("a link to itself", read("a.tsv", lambda path: path.symlink_to(path.name)), refused("a.tsv")),
    Case("an unknown kind", read("a.docx", b"PK\x03\x04"), refused("a.docx")),
    Case("random bytes", read("a.tsv", bytes(range(256)) * 20), refused("a.tsv")),
    Case("a device", lambda p: p.run("topics", "--data", "/dev/null"), refused("/dev/null")),
    *some(Case(f"the name {name!r}", lambda p, n=name: p.run("topics", "--data", n), refused()) for name in ("", " ", ".", "..", "x" * 300, "a/b/c", "https://example.org/a.tsv", "none.tsv", "-", "a b", "@", "story")),
    Case("the end mark inside a sentence", tokens_end_once("a dog </s> sleeps"), Either(Refused(), Accepted(lambda o, _: set(o.result) == {1}))),
    Case("the end mark at the end", tokens_end_once("a dog sleeps</s>"), Either(Refused(), Accepted(lambda o, _: set(o.result) == {1}))),
    Case("padding inside a sentence", tokens_end_once("a <pad> dog"), Either(Refused(), Accepted(lambda o, _: set(o.result) == {1}))),
    *some(
        Case(f"only {pool} sentences to {what}", with_data(*arguments, content=only_of(pool)), refused())
        for pool in ("test", "validation") for what, arguments in (
            ("train", ("train", "--plain", "--base", "tiny", "--out", "out", "--max-steps", 1)),
            ("build", ("build", "--base", lambda p: p.world.base, "--out", "out", "--num-codes", 8, "--code-dim", 4, "--layer", 1)),
            ("search", ("forget", lambda p: p.world.model, "--topic", "line", "--out", "out.json")),
        )
    ),
    Case("nothing to translate", translate(b""), lines(0)),
    Case("lines to translate", translate(LINES), lines(3)),
    Case("a last line without an end", translate(b"a dog"), lines(1, b"a dog\n")),
    Case("Windows line ends to translate", translate(b"a dog\r\na cat\r\n"), lines(2, b"a dog\na cat\n")),
    Case("old line ends to translate", translate(b"a dog\ra cat\r"), Either(refused(), Accepted(lambda o, p: o.shown == good("translate", p.world.model, stdin=b"a dog a cat\n") or o.shown == good("translate", p.world.model, stdin=b"a dog\na cat\n")))),
    Case("U+2028 to translate", translate(f"a dog{U2028}a cat\nb\n".encode()), lines(2)),
    Case("a vertical tab and a form feed to translate", translate(b"a\x0bdog\x0c\nb\n"), lines(2)),
    Case("a zero byte to translate", translate(b"a\0dog\nb\n"), Either(refused("1"), lines(2))),
    Case("a tab to translate", translate(b"a\tdog\n"), lines(1, b"a dog\n")),
    Case("many spaces to translate", translate(b"  a   dog  \n"), lines(1, b"a dog\n")),
    Case("a zero-width space to translate", translate("a d\u200bog\n".encode()), lines(1, b"a dog\n")),
    Case("a soft hyphen to translate", translate("a d\u00adog\n".encode()), lines(1, b"a dog\n")),
    Case("a no-break space to translate", translate("a\u00a0dog\n".encode()), lines(1, b"a dog\n")),
    Case("the end mark to translate", translate(b"a </s> dog runs\n"), lines(1)),
    Case("a byte order mark to translate", translate("\ufeffa dog\n".encode()), lines(1, b"a dog\n")),
    Case("a lone surrogate to translate", translate(b"a\nb \xed\xa0\x80\n"), refused("2")),
    Case("latin-1 to translate", translate(b"a\n\xe9t\xe9\n"), refused("2")),
    Case("utf-16 to translate", translate("a dog\n".encode("utf-16")), refused("1")),
    Case("utf-16 without a mark to translate", translate("a dog\nb\n".encode("utf-16-le")), refused()),
    Case("a very long line to translate", translate(b"dog " * 20_000 + b"\nb\n"), Either(refused("1"), lines(2))),
    Case("sentences in a file", sentences("A dog.\nA cat.\n"), Accepted(lambda o, _: o.result == ["a cat", "a dog"])),
    Case("sentences with U+2028", sentences(f"A{U2028}dog.\nA cat.\n"), Accepted(lambda o, _: o.result == ["a cat", "a dog"])),
    Case("sentences with a form feed", sentences("A\x0cdog.\nA cat.\n"), Accepted(lambda o, _: o.result == ["a cat", "a dog"])),
    Case("sentences with U+0085", sentences("A\u0085dog.\nA cat.\n"), Accepted(lambda o, _: o.result == ["a cat", "a dog"])),
    Case("sentences with a byte order mark", sentences("\ufeffA dog.\n"), Accepted(lambda o, _: o.result == ["a dog"])),
    Case("sentences with old line ends", sentences("A dog.\rA cat.\r"), Either(refused("sentences.txt"), Accepted(lambda o, _: o.result == ["a cat", "a dog"]))),
    Case("sentences in utf-16", sentences("A dog.\n".encode("utf-16")), Either(refused("sentences.txt"), Accepted(lambda o, _: o.result == ["a dog"]))),
    Case("sentences in utf-16 without a mark", sentences("A dog.\nA cat.\n".encode("utf-16-le")), Either(refused("sentences.txt"), Accepted(lambda o, _: o.result == ["a cat", "a dog"]))),
    Case("sentences in latin-1", sentences("Été.\n".encode("latin-1")), refused("sentences.txt")),
    Case("no sentences", sentences("\n \n.\n"), refused("mine")),
]  # fmt: skip


@pytest.mark.parametrize("case", made_always(CASES), ids=lambda case: case.name)
def test_parallel_text_is_read_as_what_it_is_or_refused(case: Case, place: Place) -> None:
    expect(case, place)


WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Zs", "Cf", "Co", "Cn")),
    min_size=1,
    max_size=12,
).filter(lambda text: text.strip() == text)
SENTENCES = st.lists(WORDS, min_size=2, max_size=5).map(" ".join)


@given(pairs=st.lists(st.tuples(SENTENCES, SENTENCES), min_size=3, max_size=12))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_tsv_and_its_json_lines_say_the_same(pairs: list[tuple[str, str]], place: Place) -> None:
    """With a header, so that no column has to be guessed; quotation marks are letters like others."""
    lines_of = tsv(pairs, header="source\ttarget\n")
    one = read("a.tsv", lines_of)(place)
    other = read("a.jsonl", jsonl([{"source": e, "target": f} for e, f in pairs]))(place)
    assert {one.kind, other.kind} <= {"done", "refused"}, one.trace + other.trace
    if one.kind == other.kind == "done":
        assert one.result == other.result


@given(content=st.binary(max_size=300), kind=st.sampled_from(["a.tsv", "a.jsonl", "a.tsv.gz", "a.parquet", "a.csv"]))
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_one_sentence_or_text(content: bytes, kind: str, place: Place) -> None:
    outcome = read(kind, content)(place)
    assert outcome.kind in ("done", "refused"), outcome.trace
    if outcome.kind == "done":
        assert all("\0" not in side for pair in outcome.result for side in pair)
