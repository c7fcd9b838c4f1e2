"""Numbers as English and Brazilian Portuguese people say them: the words, and the groups that they form."""

from dataclasses import dataclass

_EN_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_PT_SMALL = (
    "zero um dois três quatro cinco seis sete oito nove dez onze doze treze quatorze quinze dezesseis dezessete "
    "dezoito dezenove"
)
_EN_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_PT_TENS = "vinte trinta quarenta cinquenta sessenta setenta oitenta noventa"
_PT_HUNDREDS = "cento duzentos trezentos quatrocentos quinhentos seiscentos setecentos oitocentos novecentos"


@dataclass(frozen=True, slots=True)
class NumberWords:
    """The number words of one language. `joiner` stands inside a number ("one hundred and five", "vinte e um")."""

    small: dict[str, int]  # 0 … 19
    tens: dict[str, int]  # 20 … 90
    hundreds: dict[str, int]  # 100 … 900, where these are words of their own
    hundred: str  # else the word for it; "" where there is none
    scales: dict[str, int]  # from a thousand on: what is before them is multiplied
    joiner: str
    joins_tens: bool  # "vinte e um", but "twenty-one"
    digits: tuple[str, ...]  # how each digit is said
    digit_names: dict[str, int]  # what also means a digit, but only among other digits

    def __contains__(self, word: str) -> bool:
        """Whether a word (lower-case) means a number by itself."""
        return any(word in table for table in (self.small, self.tens, self.hundreds, self.scales)) or (
            bool(word) and word == self.hundred
        )


def _numbered(words: str, start: int, step: int) -> dict[str, int]:
    return {word: start + step * place for place, word in enumerate(words.split())}


ENGLISH = NumberWords(
    small=_numbered(_EN_SMALL, 0, 1),
    tens=_numbered(_EN_TENS, 20, 10),
    hundreds={},
    hundred="hundred",
    scales={"thousand": 1_000, "million": 10**6, "billion": 10**9},
    joiner="and",
    joins_tens=False,
    digits=tuple(_EN_SMALL.split()[:10]),
    digit_names={"oh": 0},
)
PORTUGUESE = NumberWords(
    small=_numbered(_PT_SMALL, 0, 1)
    | {"uma": 1, "duas": 2, "tres": 3, "catorze": 14, "dezasseis": 16, "dezassete": 17, "dezanove": 19},
    tens=_numbered(_PT_TENS, 20, 10) | {"cincoenta": 50},
    hundreds=_numbered(_PT_HUNDREDS, 100, 100) | _numbered(_PT_HUNDREDS.replace("os", "as"), 100, 100) | {"cem": 100},
    hundred="",
    scales={"mil": 1_000, "milhão": 10**6, "milhões": 10**6, "bilhão": 10**9, "bilhões": 10**9},
    joiner="e",
    joins_tens=True,
    digits=tuple(_PT_SMALL.split()[:10]),
    digit_names={"meia": 6},
)
LANGUAGES = {"en": ENGLISH, "pt": PORTUGUESE}


def number_words(language: str) -> NumberWords | None:
    """The number words of a language tag ("pt-br"); None where they are not known."""
    return LANGUAGES.get(language.partition("-")[0])


@dataclass(frozen=True, slots=True)
class Spoken:
    """A number in words: one group for "two hundred and five", four for "four five seven nine"."""

    groups: tuple[int, ...]
    length: int  # in words

    @property
    def digits(self) -> str:
        """What it is in digits: "four five" is 45, "fourteen fifty-five" is 1455."""
        return "".join(map(str, self.groups))


def spoken_number(words: list[str], language: str) -> Spoken | None:
    """The number that the first of `words` (lower-case, hyphens split) say; None where they say none.

    A lone "one", "um" or "uma" is an article as often as not, and no number here.
    """
    table = number_words(language)
    if table is None:
        return None
    groups: list[int] = []
    here = 0
    if words and words[0] in table.digit_names and len(words) > 2 and {words[1], words[2]} <= set(table.digits):
        groups, here = [table.digit_names[words[0]]], 1
    while here < len(words):
        group, taken = _group(words[here:], table)
        if not taken and groups and words[here] in table.digit_names:
            group, taken = table.digit_names[words[here]], 1
        if not taken or (groups and max(group, groups[-1]) > 99):
            break
        groups.append(group)
        here += taken
    if not groups or (groups == [1] and here == 1):
        return None
    return Spoken(tuple(groups), here)


def _group(words: list[str], table: NumberWords) -> tuple[int, int]:
    """One number by the grammar of numbers, and how many words it takes; (0, 0) where the first word is none."""
    total, here, least_scale = 0, 0, 10**12
    while True:
        joined = _joiner(words[here:], table) if here else 0
        part, taken = _below_thousand(words[here + joined :], table)
        after = here + joined + taken
        scale = table.scales.get(words[after], 0) if after < len(words) else 0
        if scale and scale < least_scale and (taken or not here):
            total += max(1, part) * scale
            here, least_scale = after + 1, scale
            continue
        if not taken:
            return total, here
        return total + part, after


def _below_thousand(words: list[str], table: NumberWords) -> tuple[int, int]:
    if words and words[0] in table.hundreds:
        value, here = table.hundreds[words[0]], 1
    else:
        value, here = _below_hundred(words, table)
        if here == len(words) or words[here] != table.hundred or value > 99:
            return value, here
        value, here = max(1, value) * 100, here + 1
    joined = _joiner(words[here:], table)
    if joined or not table.joins_tens:
        rest, taken = _below_hundred(words[here + joined :], table)
        if taken and rest:
            return value + rest, here + joined + taken
    return value, here


def _below_hundred(words: list[str], table: NumberWords) -> tuple[int, int]:
    if not words or words[0] not in table.tens:
        return (table.small[words[0]], 1) if words and words[0] in table.small else (0, 0)
    joined = _joiner(words[1:], table) if table.joins_tens else 0
    unit = table.small.get(words[1 + joined], 0) if len(words) > 1 + joined else 0
    if 1 <= unit <= 9 and (joined or not table.joins_tens):
        return table.tens[words[0]] + unit, 2 + joined
    return table.tens[words[0]], 1


def _joiner(words: list[str], table: NumberWords) -> int:
    return int(bool(words) and words[0] == table.joiner)
