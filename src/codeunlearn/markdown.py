"""Text of others in Markdown of ours: it is shown as it is, and cannot become a picture, a link, HTML or a cell's end."""

from __future__ import annotations

import re

_LIVE = re.compile(
    r"""`                                   # code
    | \\[!-/:-@\[-`{-~]                     # an escape
    | <[a-z/!?]                             # HTML, also automatic links
    | \]\s?[(\[:] | !\[ | \[\^              # links, pictures, footnotes
    | :// | \bwww\. | \w@\w                 # addresses, which many sites make links
    | &(\#|\w+;)                            # characters by name or number
    | \*\S(.*\S)?\* | ~\S(.*\S)?~           # emphasis
    | (?<!\w)_\S(.*\S)?_(?!\w)
    | \$.*\$                                # formulas
    """,
    re.IGNORECASE | re.VERBOSE,
)  # of CommonMark and what the sites of models and code add to it
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160)), "\N{REPLACEMENT CHARACTER}")


def literal(text: object) -> str:
    """One line that reads as the text does; what Markdown would take for its own is set as code, in which nothing is live."""
    line = _line(text)
    if not _LIVE.search(line):
        return line
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{space}{line}{space}{fence}"


def cell(text: object) -> str:
    """As `literal`, for a table's cell; a space keeps a backslash from taking the escape of a bar away."""
    return re.sub(r"\\(?=\|)", r"\\ ", literal(text)).replace("|", "\\|")


def prose(text: str) -> str:
    """Our own sentences with names of others in them: where something in them is live, every mark is escaped."""
    line = _line(text)
    return re.sub(r"[\\`*_\[\]<>|~$&:@]", r"\\\g<0>", line) if _LIVE.search(line) else line


def _line(text: object) -> str:
    return " ".join(str(text).split()).translate(_CONTROLS)
