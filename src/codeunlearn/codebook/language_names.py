"""Names of languages by the codes that translation models have for them.

Codes are of two letters (M2M100, Marian), three (Marian) or three and a script (NLLB), or two and a country (mBART). A
language that is not in the table goes by its code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_NAMED = """
afrikaans af afr; albanian sq sqi als; amharic am amh; arabic ar ara arb; armenian hy hye; asturian ast; azerbaijani az aze
azj; bashkir ba bak; basque eu eus; belarusian be bel; bengali bn ben; bosnian bs bos; breton br bre; bulgarian bg bul; burmese
my mya; catalan ca cat; cebuano ceb; chinese zh zho cmn; croatian hr hrv; czech cs ces; danish da dan; dutch nl nld; english en
eng; esperanto eo epo; estonian et est; finnish fi fin; french fr fra; frisian fy fry; fulah ff ful fuv; gaelic gd gla; galician
gl glg; ganda lg lug; georgian ka kat; german de deu; greek el ell; gujarati gu guj; haitian ht hat; hausa ha hau; hebrew he heb
iw; hindi hi hin; hungarian hu hun; icelandic is isl; igbo ig ibo; iloko ilo; indonesian id ind; irish ga gle; italian it ita;
japanese ja jpn jap; javanese jv jav; kannada kn kan; kazakh kk kaz; khmer km khm; korean ko kor; lao lo lao; latvian lv lav
lvs; lingala ln lin; lithuanian lt lit; luxembourgish lb ltz; macedonian mk mkd; malagasy mg mlg plt; malay ms msa zsm;
malayalam ml mal; maltese mt mlt; marathi mr mar; mongolian mn mon khk; nepali ne nep npi; norwegian no nor nb nob; nynorsk nn
nno; occitan oc oci; oriya or ori ory; panjabi pa pan; pashto ps pus pbt; persian fa fas pes; polish pl pol; portuguese pt por;
romanian ro ron; russian ru rus; serbian sr srp; sindhi sd snd; sinhala si sin; slovak sk slk; slovenian sl slv; somali so som;
sotho ns nso; spanish es spa; sundanese su sun; swahili sw swa swh; swati ss ssw; swedish sv swe; tagalog tl tgl; tamil ta tam;
tatar tt tat; telugu te tel; thai th tha; tswana tn tsn; turkish tr tur; ukrainian uk ukr; urdu ur urd; uzbek uz uzb uzn;
vietnamese vi vie; welsh cy cym; wolof wo wol; xhosa xh xho; yiddish yi yid ydd; yoruba yo yor; zulu zu zul
"""
_BY_CODE = {code: words[0] for words in map(str.split, _NAMED.split(";")) for code in words[1:]}
_CODE = re.compile(r"([a-z]{2,3})(?:_[A-Za-z]{2,4})?")
_PAIR = re.compile(r"opus-mt-(?:tc-big-|tc-base-)?([a-z]{2,3})-([a-z]{2,3})(?![A-Za-z])")


def is_code(text: str) -> bool:
    """Whether it can be the code of a language, such as ``de``, ``deu_Latn`` or ``de_DE``."""
    return _CODE.fullmatch(text) is not None


def language_of(code: str) -> str:
    """The name of a language: ``german`` for ``de``, ``deu``, ``deu_Latn``, ``de_DE`` and ``German``."""
    found = _CODE.fullmatch(code)
    return _BY_CODE.get(found[1], code) if found else code.lower()


def code_among(language: str, codes: Iterable[str]) -> str | None:
    """Which of the codes is the language's, given by its name or as one of them."""
    every = list(codes)
    if language in every:
        return language
    return next((code for code in every if language_of(code) == language_of(language)), None)


def languages_in_name(model: str) -> tuple[str, str] | None:
    """Source and target by the name of a Marian of the Hub: ``Helsinki-NLP/opus-mt-en-de``."""
    found = _PAIR.search(model)
    return (language_of(found[1]), language_of(found[2])) if found else None
