"""Compares our French METEOR with the METEOR 1.5 jar, on translations of a saved model.

    python benchmarks/meteor_jar.py --data tatoeba.en-fr.tsv.gz --data books.en-fr.tsv.gz --out runs/meteor-jar

The jar comes with PyPI's pycocoevalcap, which is installed below OUT/peers; Java must be there. The jar is called four times,
each call one step further from ours, so that every step has one cause. Translations are kept in OUT; a second call takes them
from there. The table is made by ``docs/fill_tables.py``.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from codeunlearn.evaluation.metrics.lexical.french import meteor
from nltk.stem.snowball import FrenchStemmer
from scipy.stats import kendalltau, pearsonr

from codeunlearn.codebook import load_model, load_tokenizer
from codeunlearn.corpus.loading import DataConfig, load_pairs
from codeunlearn.corpus.pools import split_pools
from codeunlearn.corpus.topic_sets import sample_pool
from codeunlearn.evaluation.bootstrap import Floats
from codeunlearn.evaluation.metrics.french.typography import tokens
from codeunlearn.evaluation.metrics.lexical import meteor_fr
from codeunlearn.files import write_json
from codeunlearn.record import environment, public_name
from codeunlearn.tasks.generating import translate

PACKAGE = "pycocoevalcap==1.2"
MOST = 5
"""So many sentences that differ most are named, by number."""

SAME_HASH = "the jar takes two words for one, which Java gives the same hash code"
STEMMER = "stemmer"
FEWER = "the jar leaves words out that share a stem"
JAR_MISSES = "the jar's search misses the fewest chunks"
OURS_MISSES = "our search misses the fewest chunks"
OTHER = "other"
CLOSE = 0.1
"""Two scores in [0, 100] that differ by no more than this agree."""

EXAMPLES = {
    SAME_HASH: ("je dors bien.", "l'ours dort bien."),
    FEWER: ("les grands chats", "le lion et le chat"),
    "function words": ("Elle part sans moi !", "Elle part avec moi !"),
}
"""Sentences on which the two differ, made up, because the terms of the data keep it out of the repository."""


@dataclass(frozen=True)
class Pairs:
    """Translations of a data set and their references, one or more for each."""

    hypotheses: list[str]
    references: list[list[str]]

    def tokenised(self) -> Pairs:
        """The same as our tokens with spaces between them, which the jar takes as they are."""
        return self.map(lambda text: " ".join(tokens(text)))

    def map(self, change: Callable[[str], str]) -> Pairs:
        return Pairs([change(h) for h in self.hypotheses], [[change(r) for r in rs] for rs in self.references])

    def vocabulary(self) -> list[str]:
        """Every token of both sides."""
        texts = (text for h, rs in zip(self.hypotheses, self.references, strict=True) for text in (h, *rs))
        return sorted({token for text in texts for token in tokens(text)})


@dataclass(frozen=True)
class Scores:
    """Scores in [0, 100]: of the corpus, and [sentences] of each one."""

    corpus: float
    sentences: Floats


@dataclass(frozen=True)
class Jar:
    """The METEOR 1.5 program."""

    path: Path

    def score(self, pairs: Pairs, *options: str) -> Scores:
        """Scores with French parameters, exact and stem matches."""
        printed = self._meteor(pairs, *options)
        sentences = [100 * float(value) for value in re.findall(r"^Segment \d+ score:\s+(\S+)", printed, re.MULTILINE)]
        corpus = re.search(r"^Final score:\s+(\S+)", printed, re.MULTILINE)
        if corpus is None or len(sentences) != len(pairs.hypotheses):
            sys.exit(f"The jar scored {len(sentences)} of {len(pairs.hypotheses)} sentences.")
        return Scores(100 * float(corpus[1]), np.array(sentences))

    def counts(self, pairs: Pairs, *options: str) -> Floats:
        """(exact matches, stem matches, chunks) of each sentence under its best reference; [sentences, 3]."""
        rows = np.array([line.split() for line in self._meteor(pairs, "-ssOut", *options).splitlines()], dtype=float)
        # Columns: four lengths; per matcher content and function matches, each of both sides; then the chunks.
        return np.stack([rows[:, 4] + rows[:, 6], rows[:, 8] + rows[:, 10], rows[:, 20]], axis=1)

    def defaults(self) -> dict[str, str]:
        """What the program says that it uses for French with these matchers when no weights are given."""
        printed = self._meteor(Pairs(["oui"], [["oui"]]))
        return dict(re.findall(r"^(Modules|Weights|Parameters):\s+(.*)$", printed, re.MULTILINE))

    def stems(self, words: Sequence[str]) -> list[str]:
        """The stem of each word by the French stemmer in the jar."""
        with tempfile.TemporaryFile() as file:
            file.write("\n".join(words).encode())
            file.seek(0)
            return java("-cp", str(self.path), "Stemmer", "fr", stdin=file).splitlines()

    def french_words(self) -> list[str]:
        """The French function words in the jar."""
        with ZipFile(self.path) as archive:
            return archive.read("function/french.words").decode().split()

    def paraphrase_tables(self) -> list[str]:
        """The tables beside the jar."""
        return sorted(path.name for path in (self.path.parent / "data").glob("paraphrase-*"))

    def _meteor(self, pairs: Pairs, *options: str) -> str:
        """What the program prints. References are repeated until every sentence has as many; a repeated one is no other."""
        most = max(map(len, pairs.references))
        padded = [r for rs in pairs.references for r in (*rs, *[rs[0]] * (most - len(rs)))]
        with tempfile.TemporaryDirectory() as folder:
            names = [str(Path(folder) / name) for name in ("hypotheses", "references")]
            for name, texts in zip(names, (pairs.hypotheses, padded), strict=True):
                Path(name).write_text("".join(f"{' '.join(text.split())}\n" for text in texts), encoding="utf-8")
            return java("-jar", str(self.path), *names, "-l", "fr", "-m", "exact stem", "-r", str(most), *options)


def java(*arguments: str, stdin: Any = None) -> str:
    """Standard output of a Java program that reads and writes UTF-8."""
    command = ["java", "-Xmx1G", "-Dfile.encoding=UTF-8", "-Dsun.stdout.encoding=UTF-8", *arguments]
    return subprocess.run(command, check=True, stdin=stdin, stdout=subprocess.PIPE, encoding="utf-8").stdout


def install(peers: Path) -> Jar:
    """The jar, from a folder of its own, because its package is no dependency of ours."""
    own = peers / "pycocoevalcap"
    if not own.exists():
        pip = [sys.executable, "-m", "pip", "--quiet", "install", "--no-deps", "--target", str(own), PACKAGE]
        subprocess.run(pip, check=True)
    return Jar(own / "pycocoevalcap/meteor/meteor-1.5.jar")


def translated(options: argparse.Namespace, data: str) -> Pairs:
    """Random sentences of the test pool, translated by the model, with all the references of the file."""
    about = {"model": public_name(options.model), "sentences": options.sentences, "seed": options.seed}
    kept = options.out / f"translations-{label(data)}.json"
    if kept.exists() and (content := json.loads(kept.read_text("utf-8")))["about"] == about:
        return Pairs(content["hypotheses"], content["references"])
    pool = split_pools(load_pairs(DataConfig(data)).dataset)["test"]
    sample = sample_pool(pool, options.sentences, options.seed)
    model, tokenizer = load_model(options.model), load_tokenizer(options.model)
    hypotheses = translate(model, tokenizer, [pair.prompt for pair in sample])
    references = [list(pair.answers) for pair in sample]
    write_json(kept, {"about": about, "hypotheses": hypotheses, "references": references})
    return Pairs(hypotheses, references)


def label(data: str) -> str:
    """A data set's name in the results."""
    return public_name(data).partition(".")[0]


def our_scores(pairs: Pairs) -> Scores:
    found = meteor_fr(pairs.hypotheses, pairs.references)
    assert found.per_sentence is not None
    return Scores(found.value, np.array(found.per_sentence))


def jar_scores(jar: Jar, pairs: Pairs) -> dict[str, Scores]:
    """The jar's scores by step: in the first only the program is not ours, in the last all is the jar's."""
    ours = pairs.tokenised()
    ours_alone = filter(meteor.is_function_word, pairs.vocabulary())
    with word_list(ours_alone) as own, word_list(jar.french_words()) as french:
        return {
            "our tokens, our function words": jar.score(ours, "-s", own),
            "our tokens, the jar's French function words": jar.score(ours, "-s", french),
            "our tokens, the jar's default function words": jar.score(ours),
            "raw text with -norm, the jar's default function words": jar.score(pairs, "-norm"),
        }


@contextmanager
def word_list(words: Iterable[str]) -> Generator[str]:
    """A file of function words for the jar's option -s, one a line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "function.words"
        path.write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
        yield str(path)


def compare(ours: Scores, theirs: Scores) -> dict[str, float]:
    """How far two programs agree, for the corpus and over its sentences."""
    difference = np.abs(ours.sentences - theirs.sentences)
    pearson: Any = pearsonr(ours.sentences, theirs.sentences)
    kendall: Any = kendalltau(ours.sentences, theirs.sentences)
    return {
        "ours": ours.corpus,
        "jar": theirs.corpus,
        "mean_difference": float(difference.mean()),
        "largest_difference": float(difference.max()),
        "agree": float((difference <= CLOSE).mean()),
        "pearson": float(pearson.statistic),
        "kendall": float(kendall.statistic),
    }


def differing(jar: Jar, pairs: Pairs, ours: Scores, theirs: Scores) -> list[dict[str, Any]]:
    """The sentences that differ though tokens and function words are the same, largest difference first."""
    words = pairs.vocabulary()
    stems = dict(zip(words, jar.stems(words), strict=True))
    with word_list(filter(meteor.is_function_word, words)) as own:
        counts = jar.counts(pairs.tokenised(), "-s", own)
    gaps = theirs.sentences - ours.sentences
    return [
        {
            "sentence": int(row),
            "ours": float(ours.sentences[row]),
            "jar": float(theirs.sentences[row]),
            "reason": reason(pairs.hypotheses[row], pairs.references[row], stems, counts[row]),
        }
        for row in np.argsort(-np.abs(gaps), kind="stable")
        if abs(gaps[row]) > CLOSE
    ]


def reason(hypothesis: str, references: Sequence[str], stems: dict[str, str], theirs: Floats) -> str:
    """Why a sentence scores differently: words that only one side takes for equal, or else another alignment.

    Args:
        hypothesis: the translation.
        references: its references.
        stems: the jar's stem of every word.
        theirs: the jar's (exact matches, stem matches, chunks).
    """
    others = {(h, r) for reference in references for h in tokens(hypothesis) for r in tokens(reference) if h != r}
    if any(one_hash(h, r) or one_hash(stems[h], stems[r]) for h, r in others):
        return SAME_HASH
    if any(bool(meteor.align([h], [r])) != (stems[h] == stems[r]) for h, r in others):
        return STEMMER
    *_, matches, chunks = meteor.best_sums(hypothesis, references)
    if theirs[:2].sum() != matches:
        return FEWER if theirs[:2].sum() < matches else OTHER
    more = theirs[2] - max(chunks, 1)
    return JAR_MISSES if more > 0 else OURS_MISSES if more < 0 else OTHER


def one_hash(one: str, other: str) -> bool:
    """Whether two different words are equal to a program that compares hash codes."""
    return one != other and java_hash(one) == java_hash(other)


def java_hash(word: str) -> int:
    """What Java's String.hashCode gives: the jar compares words by it, and `je` with `l'`, `le` with `n'` are equal."""
    value = 0
    for character in word:
        value = (31 * value + ord(character)) % 2**32
    return value


def stems_apart(jar: Jar, words: Sequence[str]) -> int:
    """How many words have another stem in the jar than in nltk."""
    stemmer = FrenchStemmer()
    return sum(stemmer.stem(word) != stem for word, stem in zip(words, jar.stems(words), strict=True))


def measure(jar: Jar, pairs: Pairs) -> dict[str, Any]:
    """One data set: the agreement at every step, and what the sentences of the first step differ in."""
    ours, steps = our_scores(pairs), jar_scores(jar, pairs)
    rows = differing(jar, pairs, ours, next(iter(steps.values())))
    words = pairs.vocabulary()
    return {
        "pairs": len(pairs.hypotheses),
        "references": sum(map(len, pairs.references)),
        "steps": {name: compare(ours, theirs) for name, theirs in steps.items()},
        "reasons": dict(Counter(row["reason"] for row in rows).most_common()),
        "differ_most": rows[:MOST],
        "words": len(words),
        "words_with_another_stem": stems_apart(jar, words),
    }


def examples(jar: Jar) -> list[dict[str, Any]]:
    """Both scores of `EXAMPLES`, the jar's with its own French function words."""
    pairs = Pairs([hypothesis for hypothesis, _ in EXAMPLES.values()], [[r] for _, r in EXAMPLES.values()])
    with word_list(jar.french_words()) as french:
        theirs = jar.score(pairs.tokenised(), "-s", french)
    values = zip(EXAMPLES.items(), our_scores(pairs).sentences, theirs.sentences, strict=True)
    return [
        {"reason": why, "hypothesis": h, "reference": r, "ours": float(ours), "jar": float(jars)}
        for (why, (h, r)), ours, jars in values
    ]


def check_defaults(found: dict[str, str]) -> None:
    """Stops when the jar's French defaults are not ours: then the scores could not agree."""
    ours = meteor.FRENCH
    expected = [ours.alpha, ours.beta, ours.gamma, ours.delta], [ours.exact, ours.stem]
    theirs = tuple([float(number) for number in found[key].split()] for key in ("Parameters", "Weights"))
    if theirs != expected:
        sys.exit(f"The jar's French parameters and weights are {theirs}, ours {expected}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="models/en-fr-mini")
    parser.add_argument("--data", action="append", required=True, help="parallel text, its test pool; may be repeated")
    parser.add_argument("--sentences", type=int, default=500, help="of each data set")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/meteor-jar"), help="folder for meteor_jar.json")
    options = parser.parse_args()
    jar = install(options.out / "peers")
    defaults = jar.defaults()
    check_defaults(defaults)
    sets = {label(data): measure(jar, translated(options, data)) for data in options.data}
    content = {
        "model": public_name(options.model),
        "seed": options.seed,
        "jar": {"package": PACKAGE, "defaults": defaults, "paraphrase_tables": jar.paraphrase_tables()},
        "versions": {name: version(name) for name in ("nltk", "wordfreq", "scipy")},
        "data": sets,
        "examples": examples(jar),
        "environment": environment(),
    }
    write_json(options.out / "meteor_jar.json", content)
    print(f"written to {options.out / 'meteor_jar.json'}")


if __name__ == "__main__":
    main()
