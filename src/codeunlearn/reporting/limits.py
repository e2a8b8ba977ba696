"""What a deletion stops and what it does not: the same words on the report page and in the model card."""

from __future__ import annotations

STOPS = (
    "Use of the model as it is shipped: every token passes through the codebook, there is no path around it in the "
    "model, and a deleted code adds nothing to what goes on.",
)
DOES_NOT_STOP = (
    "Someone who holds the weights and builds a path around the codebook. A linear map fitted on unrelated sentences "
    "and put in the bottleneck's place can bring much of a topic back.",
    "Fine-tuning on the topic, which teaches it again.",
    "Text that the decoder has memorised and that another input can call up.",
)
MASKED = (
    "Until it is committed, a deletion is a mask: the rows are still in the file, and anyone who holds the file can "
    "take the deletion back."
)
COMMITTED = "Committed rows are no longer in this file. Copies of the model saved before the commit still hold them."
NOT_SHOWN = (
    "Topic-word recall looks for the listed words only. A synonym or a paraphrase of the topic passes unseen.",
    "The intervals cover the choice of test sentences. They do not cover the choice of search sentences, the seed or "
    "the training of the model; for that, run several seeds.",
    "Scores on sentences with the topic say how much worse they are translated, and not what the model still knows.",
)
NAME = "This is training-free topic unlearning. It is not a certificate that the topic has left the model."
