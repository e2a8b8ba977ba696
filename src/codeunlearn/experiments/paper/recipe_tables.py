"""Recipes side by side: what each needs to make a topic go, what that costs, and what it finds where there is no topic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, median

from codeunlearn.experiments.recipes import Chosen, RecipeStudy
from codeunlearn.experiments.results import Results
from codeunlearn.reporting.artefact import Artefact, Grid
from codeunlearn.reporting.labels import bounds, count_noun, number, quoted, signed

_Studies = Mapping[int, RecipeStudy]
"""Of one topic, by seed."""
_Topics = Mapping[str, _Studies]
_EXAMPLES = 2
_CLOSED = "Closed, % [95%]"


def recipe_artefacts(results: Results) -> list[Artefact]:
    """All tables of a study for which something is finished; without topics for which no recipe found a code."""
    topics = {topic: studies for topic, studies in _by_topic(results).items() if _finds(studies)}
    compared = results.config.recipes
    names = _names(results)
    losses = sorted(compared.losses, reverse=True)
    made: list[Artefact | None] = [_null_control(results)] if results.nulls else []
    if topics:
        made += [_of_loss(topics, compared.shown or names, loss) for loss in losses]
        made += [
            _area(topics, names, losses),
            _side(topics, names, losses[0], compared.placebo),
            _details(topics, losses[0]),
            _examples(topics, names, losses[0]),
            _times(topics, names),
        ]
    return [artefact for artefact in made if artefact is not None]


def recipe_sentences(results: Results) -> list[str]:
    """How often each recipe reaches the largest loss on validation, with how many codes, and what is not in the tables."""
    studies, loss = list(results.studies.values()), max(results.config.recipes.losses)
    lost = [quoted(topic) for topic, by_seed in _by_topic(results).items() if not _finds(by_seed)]
    said = [f"No recipe found a code for {', '.join(lost)}, which the tables leave out."] if lost else []
    for name in _names(results) if studies else []:
        found = [chosen for study in studies if (chosen := _chosen(study, name, loss)) and chosen.reached]
        text = (
            f"{quoted(name)} takes {loss}% of the topic's recall on validation in {len(found)} of {len(studies)} cases"
        )
        ends = dict.fromkeys(pick(chosen.test.codes for chosen in found) for pick in (min, max) if found)
        said.append(f"{text}, with {' to '.join(map(str, ends))} codes." if found else f"{text}.")
    return said


def _names(results: Results) -> list[str]:
    """The recipes of the configuration, or those of the results where these were made with recipes of other names."""
    listed = [one.name for one in results.config.recipes.compared]
    found = dict.fromkeys(name for study in results.studies.values() for name in study.recipes)
    return listed if found.keys() <= set(listed) else list(found)


def _by_topic(results: Results) -> dict[str, dict[int, RecipeStudy]]:
    topics: dict[str, dict[int, RecipeStudy]] = {}
    for unit, study in results.studies.items():
        topics.setdefault(unit.topic.word, {})[unit.seed] = study
    return topics


def _finds(studies: _Studies) -> bool:
    return any(study.recipes for study in studies.values())


def _first(studies: _Studies) -> RecipeStudy:
    return next(iter(studies.values()))


def _chosen(study: RecipeStudy, name: str, loss: float) -> Chosen | None:
    """None where the recipe found no code, and so has not reached the loss."""
    return study.recipes[name].chosen(loss) if name in study.recipes else None


def _seeds(studies: _Studies, name: str, loss: float) -> dict[int, Chosen | None]:
    return {seed: _chosen(study, name, loss) for seed, study in studies.items()}


def _of_loss(topics: _Topics, names: Sequence[str], loss: int) -> Artefact:
    records = [
        {
            "topic": topic,
            "seed": seed,
            "recipe": name,
            "n": study.recipes[name].test.n_forget,
            "reached": chosen.reached,
            "validation_loss": chosen.validation.topic_loss,
            **vars(chosen.test),
        }
        for topic, studies in topics.items()
        for name in names
        for seed, study in studies.items()
        if (chosen := _chosen(study, name, loss)) is not None
    ]
    rows = [
        [
            f"{topic} ({_sentences(studies)})",
            *(cell for name in names for cell in _cells(list(_seeds(studies, name, loss).values()))),
        ]
        for topic, studies in topics.items()
    ]
    missed = [
        f"{topic} with {name}, seed {seed} ({_most(chosen)})"
        for name in names
        for topic, studies in topics.items()
        for seed, chosen in _seeds(studies, name, loss).items()
        if chosen is None or not chosen.reached
    ]
    caption = (
        f"The fewest codes that take {loss}% of the recall of the topic's words on the validation pool, seed by seed, and what "
        "they do on the test pool (N: its sentences with the topic): the recall that is lost, and the change of chrF on "
        "unrelated sentences, means over seeds with the lowest and highest end of their 95% intervals."
    )
    heads = [
        f"{name}: {head}" for name in names for head in ("codes", "recall lost, % [95%]", "chrF of the rest [95%]")
    ]
    note = f"Not reached on validation: {'; '.join(missed)}." if missed else ""
    return Artefact(f"loss-{loss}", f"Loss of {loss}%", caption, records, [Grid(["Topic (N)", *heads], rows, note)])


def _most(chosen: Chosen | None) -> str:
    """What a recipe does that does not reach a loss."""
    if chosen is None:
        return "it found no code"
    return (
        f"at most {number(chosen.validation.topic_loss, 0)}%, with {count_noun(chosen.test.codes, 'code')}; on test "
        f"{number(chosen.test.topic_loss, 0)}%"
    )


def _cells(seeds: Sequence[Chosen | None]) -> list[str]:
    points = [seed.test for seed in seeds if seed and seed.reached]
    if not points:
        return ["not reached", "", ""]

    def low(value: float | None, otherwise: float) -> float:
        return otherwise if value is None else value

    lost = [fmean(point.topic_loss for point in points)]
    lost += [
        min(low(p.topic_loss_low, p.topic_loss) for p in points),
        max(low(p.topic_loss_high, p.topic_loss) for p in points),
    ]
    kept = [
        fmean(point.retain_chrf_delta for point in points),
        min(point.retain_low for point in points),
        max(point.retain_high for point in points),
    ]
    return [
        ", ".join(str(seed.test.codes) if seed and seed.reached else "none" for seed in seeds),
        f"{number(lost[0], 0)} [{number(lost[1], 0)}, {number(lost[2], 0)}]",
        f"{signed(kept[0], 2)} {bounds(kept[1], kept[2], 2)}",
    ]


def _sentences(studies: _Studies) -> int:
    return next(one.test.n_forget for study in studies.values() for one in study.recipes.values())


def _area(topics: _Topics, names: Sequence[str], losses: Sequence[int]) -> Artefact:
    records: list[dict[str, object]] = []
    for topic, studies in topics.items():
        for name in names:
            found = [chosen for loss in losses for chosen in _seeds(studies, name, loss).values() if chosen]
            missed = sum(not (chosen and chosen.reached) for chosen in _seeds(studies, name, losses[0]).values())
            cost = 0.0 - fmean(chosen.test.retain_chrf_delta for chosen in found) if found else None
            records.append({"topic": topic, "recipe": name, "seeds": len(studies), "missed": missed, "cost": cost})
    known = {(record["topic"], record["recipe"]): record for record in records}

    def shown(topic: str, name: str) -> str:
        record = known[topic, name]
        missed = f"{losses[0]}% missed by {record['missed']} of {record['seeds']}"
        return missed if record["missed"] else signed(record["cost"], 2)  # pyright: ignore[reportArgumentType]

    caption = (
        f"Mean chrF that unrelated text loses over losses of {', '.join(map(str, sorted(losses)))}% of the topic's recall "
        "(negative: it gained), each at the size chosen for it on validation."
    )
    rows = [[topic, *(shown(topic, name) for name in names)] for topic in topics]
    return Artefact("cost", "Cost", caption, records, [Grid(["Topic", *names], rows, "", _numeric(1, len(names)))])


def _side(topics: _Topics, names: Sequence[str], loss: float, placebo: str | None) -> Artefact | None:
    first = {topic: _first(studies) for topic, studies in topics.items()}
    records = [
        {"topic": topic, "neighbour": near, "recipe": name, "chrf_delta": change}
        for topic, study in first.items()
        for near, by_recipe in study.neighbours.items()
        for name, change in by_recipe.items()
    ]
    rows: list[list[str]] = []
    for topic, study in first.items():
        row = [
            ", ".join(f"{near} {signed(found[name], 1)}" for near, found in study.neighbours.items() if name in found)
            for name in names
        ]
        if placebo is not None:
            drawn, own = study.placebo, study.recipes.get(placebo)
            row += [
                f"{signed(min(drawn), 2)} to {signed(max(drawn), 2)}" if drawn else "",
                signed(own.chosen(loss).test.retain_chrf_delta, 2) if own else "",
            ]
            records += [{"topic": topic, "neighbour": "", "recipe": "placebo", "chrf_delta": value} for value in drawn]
        rows.append([topic, *row])
    beside = [] if placebo is None else ["Placebo", f"{placebo} on the same text"]
    drawn = "" if placebo is None else (
        f" The placebo deletes as many random codes as {quoted(placebo)}, each used about as often as the one it stands "
        f"for: lowest to highest of {max(len(study.placebo) for study in first.values())} draws on unrelated sentences."
    )  # fmt: skip
    caption = f"Change of chrF on neighbours' sentences at the size chosen for a loss of {loss:g}%, first seed.{drawn}"
    heads = ["Topic", *(f"Neighbours: {name}" for name in names), *beside]
    return Artefact("neighbours", "Neighbours and placebo", caption, records, [Grid(heads, rows)]) if records else None


def _details(topics: _Topics, loss: float) -> Artefact | None:
    """Of the first seed, recipe by recipe."""
    rows: list[dict[str, str]] = []
    records: list[dict[str, object]] = []
    for topic, studies in topics.items():
        for name, studied in _first(studies).recipes.items():
            chosen = studied.chosen(loss)
            point, most = chosen.test, number(chosen.validation.topic_loss, 0)
            closed = f"{number(point.closed, 0)} {bounds(point.closed_low, point.closed_high, 0)}"
            kept = f"{signed(point.retain_chrf_delta, 2)} {bounds(point.retain_low, point.retain_high, 2)}"
            records.append({"topic": topic, "recipe": name, "reached": chosen.reached, **vars(point)})
            rows.append({
                "Topic": topic,
                "Recipe": name,
                "Codes": f"{point.codes}{'' if chosen.reached else f' (most: {most}%)'}",
                _CLOSED: "" if point.closed is None else closed,
                "Recall lost, %": number(point.topic_loss, 0),
                "chrF of the rest [95%]": kept,
                "chrF of the topic's sentences": signed(point.forget_chrf_delta),
                "Broken outputs, %": number(point.degenerate, 0),
            })  # fmt: skip
    if not rows:
        return None
    measured = any(row[_CLOSED] for row in rows)  # not by older versions
    heads = [head for head in rows[0] if head != _CLOSED or measured]
    caption = (
        f"At the fewest codes that take {loss:g}% of the recall on validation, or at those that take most there, first seed; on "
        "the test pool. Broken outputs loop or break off."
    )
    grid = Grid(heads, [[row[head] for head in heads] for row in rows], "", _numeric(2, len(heads) - 2))
    return Artefact("details", "In detail", caption, records, [grid])


def _examples(topics: _Topics, names: Sequence[str], loss: float) -> Artefact:
    columns = ["prompt", "before", *names]
    records = [
        {"topic": topic, **{column: found[column][place] if column in found else "" for column in columns}}
        for topic, studies in topics.items()
        for found in [_first(studies).examples]
        for place in range(min(_EXAMPLES, len(found.get("prompt", []))))
    ]
    caption = (
        f"The first {_EXAMPLES} sentences of the test pool with each topic, before and after forgetting it at the size chosen "
        f"for a loss of {loss:g}%, first seed."
    )
    grid = Grid(["Topic", "Prompt", "Before", *names], [[str(cell) for cell in record.values()] for record in records])
    return Artefact("examples", "Examples", caption, records, [grid])


def _times(topics: _Topics, names: Sequence[str]) -> Artefact | None:
    records: list[dict[str, object]] = []
    rows: list[list[str]] = []
    for name in names:
        found = [
            one.recipes[name].seconds for studies in topics.values() for one in studies.values() if name in one.recipes
        ]
        seconds = sorted(value for value in found if value is not None)
        if seconds:
            low, middle, high = seconds[0], median(seconds), seconds[-1]
            records.append({"recipe": name, "searches": len(seconds), "median": middle, "low": low, "high": high})
            rows.append([name, number(middle), f"{number(low)} to {number(high)}"])
    caption = "Processor seconds for the search of one topic, over topics and seeds."
    grid = Grid(["Recipe", "Median", "Range"], rows, "", _numeric(1, 2))
    return Artefact("seconds", "Time", caption, records, [grid]) if rows else None


def _null_control(results: Results) -> Artefact:
    heads = list(dict.fromkeys(name for null in results.nulls.values() for name in null.codes))
    records = [{"topic": u.topic.word, "pairs": null.sentences, **null.codes} for u, null in results.nulls.items()]
    rows = [
        [unit.topic.word, str(null.sentences), *(str(null.codes.get(name, "")) for name in heads)]
        for unit, null in results.nulls.items()
    ]
    caption = (
        "How many codes each recipe finds where two random replacements of the topic's word are set against each other: every "
        "one is an accident."
    )
    grid = Grid(["Topic", "Pairs", *heads], rows, "", _numeric(1, 1 + len(heads)))
    return Artefact("null-control", "Control against control", caption, records, [grid])


def _numeric(first: int, number_of: int) -> frozenset[int]:
    return frozenset(range(first, first + number_of))
