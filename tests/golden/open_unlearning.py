"""Makes the numbers in ``open_unlearning.json`` with OpenUnlearning's own code (github.com/locuslab/open-unlearning, MIT).

Its inputs, logits among them, stand in the same file; only the values are made anew, from a checkout of that repository::

    pip install omegaconf
    python tests/golden/open_unlearning.py CHECKOUT

The model is a table of logits: those of the next word depend on the last word alone, so that both codes see the same ones.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

FILE = Path(__file__).with_suffix(".json")
MODEL, GOLD = "model", "gold"
FORGET, RETAIN, TEXTS = "forget", "retain", "texts"
FACTS = ("real authors", "world facts")
_LIST = re.compile(r"\[\s+([^\[\]{}]*?)\s+\]")  # of numbers or words alone


class LogitTable(nn.Module):
    """A causal model of one table.

    Args:
        table: [words, words], the logits behind each word.
        said: by prompt, the token ids that `generate` gives.
    """

    def __init__(self, table: Sequence[Sequence[float]], said: dict[tuple[int, ...], list[int]] | None = None) -> None:
        super().__init__()
        self.register_buffer("table", torch.tensor(table))
        self.said = said or {}
        self.config = SimpleNamespace(
            is_encoder_decoder=False, model_type="llama", max_position_embeddings=64, bos_token_id=1, eos_token_id=2
        )

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    def can_generate(self) -> bool:
        return True

    def forward(self, input_ids: Tensor, **_: Any) -> SimpleNamespace:
        return SimpleNamespace(logits=self.get_buffer("table")[input_ids])

    def generate(self, input_ids: Tensor, attention_mask: Tensor, pad_token_id: int, **_: Any) -> Tensor:
        prompts = [tuple(row[mask.bool()].tolist()) for row, mask in zip(input_ids, attention_mask, strict=True)]
        width = max(len(self.said[prompt]) for prompt in prompts)
        rows = [self.said[prompt] + [pad_token_id] * (width - len(self.said[prompt])) for prompt in prompts]
        return torch.cat([input_ids, torch.tensor(rows)], dim=1)


def word_tokenizer(words: Sequence[str]) -> Any:
    """One piece for each word; the first four are padding, beginning, end and what is unknown."""
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, words[3]))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    pad, beginning, end, unknown = words[:4]
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token=pad, bos_token=beginning, eos_token=end, unk_token=unknown, model_max_length=64
    )


class Reference:
    """OpenUnlearning's metrics of one model.

    Args:
        name: of the table of logits.
    """

    def __init__(self, inputs: dict[str, Any], name: str) -> None:
        self.inputs, self.tokenizer = inputs, word_tokenizer(inputs["words"])
        said = {
            tuple(self.row(one["question"], one["answer"], generating=True)["input_ids"].tolist()):
                [*self.tokenizer(one["said"]).input_ids, self.tokenizer.eos_token_id]
            for asked in inputs["sets"].values() for one in asked
        }  # fmt: skip
        self.model = LogitTable(inputs["logits"][name], said)
        self.metrics = {
            name: getattr(import_module(f"evals.metrics.{module}"), name)
            for module, names in {
                "memorization": (
                    "probability", "probability_w_options", "rouge", "truth_ratio", "exact_memorization",
                    "extraction_strength",
                ),
                "privacy": ("ks_test",),
                "utility": ("hm_aggregate",),
            }.items()
            for name in names
        }  # fmt: skip

    def row(self, question: str, answer: str, *, generating: bool = False) -> dict[str, Tensor]:
        before, behind = self.inputs["frame"]
        template = {
            "apply_chat_template": False,
            "user_start_tag": before,
            "user_end_tag": behind,
            "asst_start_tag": " ",
        }
        return import_module("data.utils").preprocess_chat_instance(
            self.tokenizer, template, [question], [answer], 64, generating
        )

    def text(self, prompt: str, rest: str) -> dict[str, Tensor]:
        utils = import_module("data.utils")
        return utils.preprocess_pretraining_instance(self.tokenizer, prompt, rest, 64, insert_space=True)

    def measure(self, name: str, rows: Sequence[Any] = (), *, left: bool = False, **how: Any) -> dict[str, Any]:
        """One metric, of rows or of what ``how`` names."""
        if rows:
            collator = import_module("data.collators").DataCollatorForSupervisedDataset
            how |= {"data": rows, "batch_size": 2, "tokenizer": self.tokenizer}
            how["collators"] = collator(self.tokenizer, "left" if left else "right", "index")
        return self.metrics[name].evaluate_metric(self.model, name, **how)

    def of_set(self, name: str) -> dict[str, dict[str, Any]]:
        """All metrics of one set."""
        asked = self.inputs["sets"][name]
        rows = [{**self.row(one["question"], one["answer"]), "index": i} for i, one in enumerate(asked)]
        spoken = [
            {**self.row(one["question"], one["answer"], generating=True), "index": i} for i, one in enumerate(asked)
        ]
        wrong = [
            {str(k): {**self.row(one["question"], text), "index": i} for k, text in enumerate(one["wrong"])}
            for i, one in enumerate(asked)
        ]
        options = {"correct": self.measure("probability", rows), "wrong": self.measure("probability", wrong)}
        found = {name: self.measure(name, rows) for name in ("exact_memorization", "extraction_strength")}
        generating: Any = import_module("omegaconf").OmegaConf.create({"do_sample": False, "max_new_tokens": 200})
        return {
            "probability": options["correct"],
            **found,
            "probability_w_options": self.measure("probability_w_options", pre_compute=options),
            "truth_ratio": self.measure(
                "truth_ratio", pre_compute=options, aggregator="closer_to_1_better" if name == FORGET else "true_better"
            ),
            "rougeL_recall": self.measure(
                "rouge", spoken, left=True, rouge_type="rougeL_recall", generation_args=generating
            ),
        }

    def of_texts(self) -> dict[str, Any]:
        texts = self.inputs[TEXTS]
        return self.measure("probability", [{**self.text(*pair), "index": i} for i, pair in enumerate(texts)])

    def utility(self, found: dict[str, dict[str, Any]]) -> dict[str, Any]:
        """The harmonic mean of the nine numbers in ``configs/eval/tofu_metrics/model_utility.yaml``."""
        nine = {
            f"{name} {metric}": found[name][metric]
            for name in (RETAIN, *FACTS)
            for metric in (
                "probability" if name == RETAIN else "probability_w_options", "rougeL_recall", "truth_ratio",
            )
        }  # fmt: skip
        return self.measure("hm_aggregate", pre_compute=nine)


def values(inputs: dict[str, Any]) -> dict[str, Any]:
    """All numbers that a test compares with."""
    references = {name: Reference(inputs, name) for name in inputs["logits"]}
    found = {name: {one: own.of_set(one) for one in inputs["sets"]} for name, own in references.items()}
    ratios = {name: of_sets[FORGET]["truth_ratio"] for name, of_sets in found.items()}
    quality = references[MODEL].measure(
        "ks_test",
        pre_compute={"forget": ratios[MODEL]},
        reference_logs={"retain_model_logs": {"retain": ratios[GOLD]}},
    )
    return {
        name: {
            "sets": {
                one: {metric: plain(metric, got) for metric, got in of_set.items()} for one, of_set in of_sets.items()
            },
            TEXTS: plain("probability", references[name].of_texts()),
            "model_utility": float(references[name].utility(of_sets)["agg_value"]),
        }
        for name, of_sets in found.items()
    } | {"forget_quality": float(quality["agg_value"])}


def plain(metric: str, found: dict[str, Any]) -> dict[str, Any]:
    """The value, and by index what it is the mean of; of truth ratios, the ratios themselves."""
    key = {"rougeL_recall": metric, "probability": "prob", "probability_w_options": "prob"}.get(metric, "score")
    by_index = [float(one[key]) for _, one in sorted(found["value_by_index"].items())]
    return {"agg_value": float(found["agg_value"]), "value_by_index": by_index}


def find_code(checkout: Path) -> str:
    """Makes OpenUnlearning importable and returns its commit; the benchmarks that its packages also load are left out."""
    source = checkout / "src"
    sys.path.insert(0, str(source))
    for name in ("evals", "evals.metrics"):
        package = ModuleType(name)
        package.__path__ = [str(source / name.replace(".", "/"))]
        sys.modules[name] = package
    command = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def main(checkout: Path) -> None:
    content = json.loads(FILE.read_text(encoding="utf-8"))
    content["made_by"] = (
        f"locuslab/open-unlearning, commit {find_code(checkout)}, tests/golden/open_unlearning.py CHECKOUT"
    )
    content["values"] = values(content["inputs"])
    written = json.dumps(content, indent=1, ensure_ascii=False)
    FILE.write_text(_LIST.sub(_in_one_line, written) + "\n", encoding="utf-8")


def _in_one_line(found: re.Match[str]) -> str:
    return f"[{' '.join(part.strip() for part in found[1].splitlines())}]"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
