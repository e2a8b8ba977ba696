"""Forget one topic from Python: find its codes, look before and after, keep a model without them.

    python examples/one_topic.py models/en-fr-mini dog

The sentences are those of Tatoeba that ship with the package; with your own text, give `load_pairs` its path.
"""

import sys
import tempfile
from pathlib import Path

from codeunlearn import (
    Topic,
    build_topic_sets,
    commit,
    find_codes,
    forget,
    forgetting,
    load_model,
    load_pairs,
    load_tokenizer,
    save_model,
    split_pools,
    translate,
)


def main(folder: str, word: str) -> None:
    model, tokenizer = load_model(folder), load_tokenizer(folder)
    pools = split_pools(load_pairs("tatoeba").dataset)

    # Sentences with the topic, each with a control in which another word of the same kind stands in its place.
    sets = build_topic_sets(
        Topic.from_word(word), pools, search_size=100, tune_size=0, eval_size=20, search_retain_size=300
    )
    found = find_codes(model, tokenizer, sets)
    print(f"{len(found.forget_set)} codes belong to {word!r}.")

    # Inside the block the codes are deleted; behind it the model is as before.
    sentences = [pair.prompt for pair in sets.forget[:4]] + [pair.prompt for pair in sets.retain[:4]]
    before = translate(model, tokenizer, sentences)
    with forgetting(model, found.forget_set):
        after = translate(model, tokenizer, sentences)
    for source, old, new in zip(sentences, before, after, strict=True):
        print(f"\n{source}\n  before  {old}\n  after   {new}")

    # For good: the rows leave the model, and the saved model writes down what was taken from it.
    forget(model, found.forget_set)
    print(f"\n{commit(model)} rows are gone.")
    out = Path(tempfile.mkdtemp(prefix="forgotten-"))
    save_model(model, tokenizer, out)  # whole or not at all
    print(f"The model without them is in {out}.")


if __name__ == "__main__":
    main(*sys.argv[1:])
