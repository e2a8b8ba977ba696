"""A byte-pair tokenizer in SentencePiece's style, trained on the data, with T5's special tokens and ids.

T5's own is a unigram model. The trainer of those in ``tokenizers`` gives other pieces at every call, so that no training
could be repeated; byte pairs are the same each time (a test).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

SPECIAL_TOKENS = ("<pad>", "</s>", "<unk>")
CLASSIFIED = (*SPECIAL_TOKENS, "<s>")
"""With a token before every text, of which a classifier makes its class."""
MOST_TOKENS = 512


def train_tokenizer(
    sentences: Iterable[str], vocab_size: int, special_tokens: Sequence[str] = SPECIAL_TOKENS
) -> PreTrainedTokenizerFast:
    """Trains on all sides of the text; the result ends every sentence with ``</s>``, as T5's does.

    Args:
        special_tokens: `SPECIAL_TOKENS`, or `CLASSIFIED`, whose ``<s>`` then begins every sentence.
    """
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence(  # pyright: ignore[reportAttributeAccessIssue]
        [normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(  # pyright: ignore[reportAttributeAccessIssue]
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation()]
    )
    tokenizer.decoder = decoders.Metaspace()  # pyright: ignore[reportAttributeAccessIssue]
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=list(special_tokens), show_progress=False)
    tokenizer.train_from_iterator(sentences, trainer)
    opening = special_tokens[len(SPECIAL_TOKENS) :]
    before = "".join(f"{token} " for token in opening)
    tokenizer.post_processor = processors.TemplateProcessing(  # pyright: ignore[reportAttributeAccessIssue]
        single=f"{before}$A </s>",
        pair=f"{before}$A </s> $B </s>",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("</s>", *opening)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=MOST_TOKENS,
        **({"cls_token": "<s>", "sep_token": "</s>"} if opening else {}),
    )
