"""Languages of which the stems are known, and nothing else: those of Snowball beside English and French."""

from __future__ import annotations

from codeunlearn.corpus.languages.base import LANGUAGES, Language, snowball

_CODES = {
    "arabic": "ar", "danish": "da", "dutch": "nl", "finnish": "fi", "german": "de", "hungarian": "hu", "italian": "it",
    "norwegian": "no", "portuguese": "pt", "romanian": "ro", "russian": "ru", "spanish": "es", "swedish": "sv",
}  # fmt: skip

for _name, _code in _CODES.items():
    LANGUAGES.register(_name)(Language(_code, stem=snowball(_name)))
