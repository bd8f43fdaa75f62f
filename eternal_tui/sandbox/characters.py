"""The characters of the sandbox: 137 invented ones, always the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from eternal_tui.sandbox.settings import seeded_rng

ADULT_AGE = 18
FIRST_ID = 6870
ID_STEP = 3

_WOMEN = """Astrid Elara Julia Flavie Ingrid Noor Sofia Amara Yuki Leonie Mira Hanne Zofia Priya Camille Linnea
Odette Freya Chiara Nadia Rosalind Mei Ewa Salome Tove Beatriz Ayla Signe Margot Ines Katja Oona Petra Lucia
Wanda Celeste Hedda Renata Sunniva Thea Ximena Yara Zelda Agnes Brigid Dalia Esther Farah Greta Helena Iris
Jolanda Klara Lena Marit Nora Olga Paloma Quinn Runa Saskia Tamsin Ulla Vera Willa Anouk Birgit Clio Dorothea"""
_MEN = """Anders Mateo Kenji Idris Luca Emil Tariq Soren Pavel Hugo Ravi Olivier Jonas Kofi Felix Arvid Dario
Henrik Isak Joaquin Karel Leif Marcel Nils Otto Piotr Ragnar Stefan Tomas Viktor Wen Yusuf Zeno Alban Bruno
Cyril Dmitri Edvard Florian Gustav Hamid Ivo Jasper Kaspar Lorenz Milan Nuno Orson Pascal Rafael Silas Theo"""
_OTHERS = "Sascha Robin Kim Alexis Noa River Marlo Ash Jules Remy Sunny Indigo Bao Lior"
_TRADES = (
    "lighthouse keeper", "architect", "cellist", "marine biologist", "baker", "cartographer", "glassblower",
    "violin maker", "ferry captain", "botanist", "dancer", "astronomer", "bookbinder", "mountain guide",
    "radio host", "chess coach", "gardener", "physician", "stage designer", "bicycle builder", "librarian",
    "beekeeper", "pilot", "ceramicist", "geologist", "sailor", "judge", "chef", "weaver", "photographer",
)  # fmt: skip
_PLACES = (
    "Bergen", "Lyon", "Porto", "Trieste", "Kyoto", "Tromsø", "Kraków", "Lisbon", "Accra", "Montréal", "Gdańsk",
    "Antwerp", "Valparaíso", "Turku", "Izmir", "Galway", "Split", "Jaipur", "Tallinn", "Bruges",
)  # fmt: skip
_HABITS = (
    "sketches strangers on the night train", "swims in cold water before work", "collects old sea charts",
    "never leaves without a notebook", "knows every bridge in town by name", "restores a wooden boat",
    "hums while thinking", "grows lemons on a balcony", "reads the weather from the clouds",
    "plays the accordion, quietly", "is learning to juggle", "keeps a diary of sunsets",
    "walks home the long way", "mends clocks for friends", "writes letters by hand",
)  # fmt: skip


class Character(msgspec.Struct, frozen=True):
    """One entry of the list; ``avatar_url`` is added when it is served."""

    id: int
    username: str
    display_name: str
    description: str
    age: int
    gender: str
    status: str = "approved"
    category: str = "default"


_MASCOTS = {
    23: ("Pip", 12, "A schoolbook mascot: a drawn owl with round glasses who explains fractions."),
    96: ("Dot", 9, "A drawn ladybird from a counting book for primary schools."),
}


def _names() -> Iterator[tuple[str, str]]:
    women = [(name, "female") for name in _WOMEN.split()]
    men = [(name, "male") for name in _MEN.split()]
    others = [(name, "nonbinary") for name in _OTHERS.split()]
    lead, rest = women[:4], women[4:] + men + others
    seeded_rng("cast").shuffle(rest)
    yield from lead
    yield from rest


def _make_character(name: str, gender: str, character_id: int) -> Character:
    rng = seeded_rng(f"{character_id}:{name}")
    trade = rng.choice(_TRADES)
    article = "An" if trade[0] in "aeiou" else "A"
    return Character(
        id=character_id,
        username=f"{name.lower()}_{trade.split()[-1]}",
        display_name=name,
        description=f"{article} {trade} from {rng.choice(_PLACES)} who {rng.choice(_HABITS)}.",
        age=rng.randint(21, 68),
        gender=gender,
    )


def default_characters() -> list[Character]:
    """The 137 characters in list order; two are mascots listed as under 18, which clients must leave out."""
    made: list[Character] = []
    names = _names()
    for place in range(137):
        identity = FIRST_ID + ID_STEP * place
        if mascot := _MASCOTS.get(place):
            name, age, text = mascot
            made.append(
                Character(identity, f"{name.lower()}_mascot", name, text, age, "nonbinary", category="education")
            )
        else:
            made.append(_make_character(*next(names), identity))
    return made


def create_character(prompt: str, place: int) -> Character:
    """An adult character whose name and trade follow from the prompt, for this place in the list."""
    digest = hashlib.sha256(prompt.encode()).digest()
    name, gender = list(_names())[digest[0] % 120]
    identity = FIRST_ID + ID_STEP * place
    made = _make_character(name, gender, identity)
    return msgspec.structs.replace(made, username=f"{name.lower()}_{identity}", category="custom")
