"""Parallel text opens from every supported form, bad rows are counted, and a wrong file is one clear sentence."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codeunlearn.corpus import rows
from codeunlearn.corpus.loading import DataConfig, LoadedPairs, load_pairs
from codeunlearn.corpus.samples import SAMPLES
from codeunlearn.errors import CodeUnlearnError

PAIRS = [("A dog runs.", "Un chien court."), ("I love it.", "Je l’aime."), ("She sleeps.", "Elle dort.")]


def read(loaded: LoadedPairs) -> list[tuple[str, str]]:
    return list(zip(loaded.dataset["source"], loaded.dataset["target"], strict=True))


def tsv(rows: list[tuple[str, ...]]) -> str:
    return "".join("\t".join(row) + "\n" for row in rows)


def write_tsv(path: Path) -> None:
    path.write_text(tsv(PAIRS), encoding="utf-8")


def write_gzip(path: Path) -> None:
    path.write_bytes(gzip.compress(tsv([("en", "fr"), *PAIRS]).encode()))


def write_windows(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + tsv([("source", "target"), *PAIRS]).replace("\n", "\r\n").encode())


def write_jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps({"english": s, "french": t}) + "\n" for s, t in PAIRS), encoding="utf-8")


def write_opus_jsonl(path: Path) -> None:
    rows = [{"id": str(i), "translation": {"fr": t, "en": s}} for i, (s, t) in enumerate(PAIRS)]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def write_parquet(path: Path) -> None:
    Dataset.from_dict({"src": [s for s, _ in PAIRS], "tgt": [t for _, t in PAIRS]}).to_parquet(path)


def write_opus_parquet(path: Path) -> None:
    Dataset.from_list([{"translation": {"en": s, "fr": t}} for s, t in PAIRS]).to_parquet(path)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("pairs.tsv", write_tsv),
        ("pairs.txt", write_tsv),
        ("pairs.tsv.gz", write_gzip),
        ("windows.tsv", write_windows),
        ("pairs.jsonl", write_jsonl),
        ("opus.jsonl", write_opus_jsonl),
        ("pairs.parquet", write_parquet),
        ("opus.parquet", write_opus_parquet),
    ],
)
def test_every_form_gives_the_same_pairs(tmp_path: Path, name: str, write: Callable[[Path], None]) -> None:
    write(tmp_path / name)
    loaded = load_pairs(str(tmp_path / name))
    assert read(loaded) == PAIRS
    assert loaded.dataset.column_names == ["source", "target"]
    assert (loaded.report.kept, loaded.report.skipped) == (3, {})


@pytest.mark.parametrize("header", [("fr", "id", "en"), ("FR", "id", "EN"), (" French", "id", "English ")])
def test_a_header_decides_the_columns_whatever_their_order(tmp_path: Path, header: tuple[str, ...]) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text(tsv([header, *((t, str(i), s) for i, (s, t) in enumerate(PAIRS))]), encoding="utf-8")
    assert read(load_pairs(str(path))) == PAIRS


@pytest.mark.parametrize("form", ["tsv", "jsonl", "parquet"])
def test_columns_can_be_named(tmp_path: Path, form: str) -> None:
    rows = [{"id": "x", "mot": t, "word": s} for s, t in PAIRS]
    path = tmp_path / f"pairs.{form}"
    if form == "tsv":
        path.write_text(tsv([("id", "mot", "word"), *((r["id"], r["mot"], r["word"]) for r in rows)]), encoding="utf-8")
    elif form == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        Dataset.from_list(rows).to_parquet(path)
    named = DataConfig(str(path), source_column="word", target_column="mot")
    assert read(load_pairs(named)) == PAIRS
    with pytest.raises(CodeUnlearnError, match="has no column 'wort'; it has id, mot, word"):
        load_pairs(DataConfig(str(path), source_column="wort", target_column="mot"))
    with pytest.raises(CodeUnlearnError, match="--source-column and --target-column go together"):
        load_pairs(DataConfig(str(path), source_column="word"))


def test_a_json_row_without_one_side_may_come_first(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"en": "Alone."}\n' + json.dumps({"en": "A dog runs.", "fr": "Un chien court."}) + "\n")
    loaded = load_pairs(str(path))
    assert read(loaded) == [("A dog runs.", "Un chien court.")]
    assert loaded.report.skipped == {"with a side missing": 1}


def test_a_nested_column_can_be_named(tmp_path: Path) -> None:
    write_opus_jsonl(tmp_path / "opus.jsonl")
    config = DataConfig(str(tmp_path / "opus.jsonl"), source_column="translation.fr", target_column="translation.en")
    assert read(load_pairs(config)) == [(t, s) for s, t in PAIRS]


def test_the_limit_counts_usable_pairs(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text(tsv([("a dog", ""), *PAIRS]), encoding="utf-8")
    loaded = load_pairs(DataConfig(str(path), limit=2))
    assert read(loaded) == PAIRS[:2]
    assert loaded.report.kept == 2


def test_bad_rows_are_skipped_and_counted_by_reason(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    bad = [
        b"only one column\n",
        b"no target\t\n",
        b" \tno source\n",
        b"\xff\xfe\tbytes\n",
        b"x" * 60 + b"\tlong\n",
    ]
    path.write_bytes(b"".join([tsv(PAIRS[:1]).encode(), *bad, tsv(PAIRS[1:]).encode()]))
    loaded = load_pairs(DataConfig(str(path), max_characters=50))
    assert read(loaded) == PAIRS
    assert loaded.report.skipped == {"with a side missing": 3, "not UTF-8": 1, "longer than 50 characters": 1}
    assert str(loaded.report).startswith(
        f"3 pairs from {path}, columns 1, 2 (skipped: 1 longer than 50 characters, 1 not UTF-8, 3 "
    )


def test_bad_json_lines_are_skipped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    lines = [json.dumps({"en": s, "fr": t}) for s, t in PAIRS]
    bad = [
        '{"en": "cut',
        "[1, 2]",
        '{"en": "no french"}',
        '{"en": 3, "fr": "a number"}',
        '{"en": null, "fr": "none"}',
    ]
    path.write_text("\n".join([lines[0], *bad, *lines[1:]]), encoding="utf-8")
    loaded = load_pairs(str(path))
    assert read(loaded) == PAIRS
    assert loaded.report.skipped == {"not JSON": 1, "not a JSON object": 1, "with a side missing": 3}


def test_absent_cells_of_a_parquet_file_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "pairs.parquet"
    Dataset.from_dict({"en": ["a dog", None, "a cat"], "fr": ["un chien", "rien", None]}).to_parquet(path)
    loaded = load_pairs(str(path))
    assert read(loaded) == [("a dog", "un chien")]
    assert loaded.report.skipped == {"with a side missing": 2}


@pytest.mark.parametrize("name", SAMPLES)
def test_texts_of_the_package_need_no_file(name: str) -> None:
    loaded = load_pairs(DataConfig(name, limit=40))
    assert len(loaded.dataset) == loaded.report.kept == 40
    assert read(loaded) == read(load_pairs(name))[:40]
    with pytest.raises(CodeUnlearnError, match=f"{name} is no Hub data set"):
        load_pairs(DataConfig(name, config="en-fr"))


def test_a_hub_data_set_in_the_form_of_opus_books(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def load_dataset(name: str, config: str | None, split: str) -> Dataset:
        asked.append((name, config, split))
        return Dataset.from_list([{"id": str(i), "translation": {"en": s, "fr": t}} for i, (s, t) in enumerate(PAIRS)])

    monkeypatch.setattr(rows, "load_dataset", load_dataset)
    assert read(load_pairs(DataConfig("opus_books", config="en-fr"))) == PAIRS
    assert asked == [("opus_books", "en-fr", "train")]


def test_a_hub_data_set_that_cannot_be_read_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dataset(*_: object, **__: object) -> Dataset:
        raise ConnectionError("no network\nand a long trace")

    monkeypatch.setattr(rows, "load_dataset", load_dataset)
    message = r"opus_books is neither a local file nor a Hub data set .*\(ConnectionError: no network\); check the name"
    with pytest.raises(CodeUnlearnError, match=message):
        load_pairs("opus_books")


@pytest.mark.parametrize("name", ["missing.tsv", "a/b/missing", "./missing", "/missing"])
def test_a_missing_file_is_not_looked_for_on_the_hub(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "load_dataset", lambda *_, **__: pytest.fail("asked the Hub"))
    with pytest.raises(CodeUnlearnError, match=f"There is no file {name}; expected two columns"):
        load_pairs(name)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.tsv", b"", "is empty; expected two columns of parallel text"),
        ("empty.parquet", b"", "is empty"),
        (
            "one.tsv",
            b"just one column\nand another\n",
            "has 1 column in its first line; expected two columns",
        ),
        ("pairs.doc", b"a,b\n", "is of an unknown kind; use .txt, .tsv, .csv, .jsonl"),
        ("pairs.parquet.gz", gzip.compress(b"PAR1", mtime=0), "is of an unknown kind"),
        ("blank.tsv", b"en\tfr\n\t\n", r"holds no usable sentence pair \(.*1 with a side missing"),
        ("header.tsv", b"en\tfr\n", "holds no usable sentence pair"),
        ("other.jsonl", b'{"body": "a", "label": 1}\n', "has the columns body, label; name two columns with"),
        ("broken.parquet", b"PAR1 this is no parquet file", "cannot be read as Parquet"),
        ("notgzip.tsv.gz", b"a dog\tun chien\n", "is not a whole gzip file"),
        ("cut.tsv.gz", gzip.compress(tsv(PAIRS * 500).encode(), mtime=0)[:-20], "is not a whole gzip file"),
        ("bent.tsv.gz", gzip.compress(b"a dog\tun chien\n", mtime=0)[:10] + b"\xff" * 30, "is not a whole gzip file"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_clear_error(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(CodeUnlearnError, match=message) as caught:
        load_pairs(str(path))
    assert "\n" not in str(caught.value)


def test_a_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CodeUnlearnError, match="is a folder; name a file"):
        load_pairs(str(tmp_path))


def test_json_rows_that_no_reader_should_choke_on(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    good = [json.dumps({"en": s, "fr": t}) for s, t in PAIRS]
    deep = '{"en": ' + "[" * 100_000 + "]" * 100_000 + "}"
    digits = '{"id": ' + "9" * 5000 + ', "en": "A cow.", "fr": "Une vache."}'
    nested = '{"en": "Deep.", "fr": "Profond.", "x": ' + '{"y": ' * 400 + "1" + "}" * 400 + "}"
    half = '{"en": "A \\ud800 dog.", "fr": "Un chien."}'
    null = '{"en": "A dog.", "fr": "Un \\u0000 chien."}'
    path.write_text("\n".join([deep, digits, nested, half, null, *good]), encoding="utf-8")
    loaded = load_pairs(str(path))
    assert read(loaded) == [("A cow.", "Une vache."), ("Deep.", "Profond."), *PAIRS]
    assert loaded.report.skipped == {"not JSON": 1, "not UTF-8": 1, "with a null character": 1}


def text(without: str) -> st.SearchStrategy[str]:
    """Any sentence but those with the characters that a form has no way to write."""
    characters = st.characters(exclude_categories=["Cs"], exclude_characters=f"\0\r{without}")
    return st.text(characters, max_size=20).map(lambda t: f"a{t}b")


def pairs(without: str = "") -> st.SearchStrategy[list[tuple[str, str]]]:
    """At least two of several words, told apart by number, since a column of one value or of identifiers is refused."""
    listed = st.lists(st.tuples(text(without), text(without)), min_size=2, max_size=6)
    return listed.map(lambda found: [(f"{i} {s}", f"{i} {t}") for i, (s, t) in enumerate(found)])


def as_jsonl(path: Path, written: list[tuple[str, str]], **options: Any) -> None:
    path.write_text("".join(json.dumps({"en": s, "fr": t}, **options) + "\n" for s, t in written), encoding="utf-8")


def as_csv(path: Path, written: list[tuple[str, str]], delimiter: str = ",") -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([("en", "fr"), *written])


def as_parquet(path: Path, written: list[tuple[str, str]]) -> None:
    pq.write_table(pa.table({"en": [s for s, _ in written], "fr": [t for _, t in written]}), path)


ROUND_TRIP = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@ROUND_TRIP
@given(pairs())
def test_any_sentences_come_back_from_the_forms_that_can_hold_them(
    tmp_path: Path, written: list[tuple[str, str]]
) -> None:
    as_jsonl(tmp_path / "plain.jsonl", written, ensure_ascii=False)
    as_jsonl(tmp_path / "escaped.jsonl", written)
    as_csv(tmp_path / "commas.csv", written)
    as_csv(tmp_path / "tabs.csv", written, "\t")
    as_parquet(tmp_path / "pairs.parquet", written)
    for name in ("plain.jsonl", "escaped.jsonl", "commas.csv", "tabs.csv", "pairs.parquet"):
        assert read(load_pairs(str(tmp_path / name))) == written, name


@ROUND_TRIP
@given(pairs(without="\t\n"), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
def test_any_sentences_without_tabs_come_back_from_a_tsv(
    tmp_path: Path, written: list[tuple[str, str]], encoding: str
) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_bytes(tsv([("en", "fr"), *written]).encode(encoding))
    assert read(load_pairs(str(path))) == written


@ROUND_TRIP
@given(st.sampled_from([".tsv", ".csv", ".jsonl", ".parquet", ".tsv.gz"]), st.binary(max_size=300))
def test_any_bytes_at_all_are_pairs_or_one_clear_error(tmp_path: Path, kind: str, content: bytes) -> None:
    path = tmp_path / f"any{kind}"
    path.write_bytes(content)
    said = ""
    try:
        assert all(source and target for source, target in read(load_pairs(str(path))))
    except CodeUnlearnError as error:
        said = str(error)
    assert len(said.splitlines()) < 2
