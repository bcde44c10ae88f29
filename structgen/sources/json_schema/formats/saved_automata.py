"""The automata of the formats on disk: the same for every schema and vocabulary, and dear to make.

They take from 1 to 100 ms each, in the middle of the first text that comes to one. The file is written along
with the first mask store. An automaton from it is known by its digest, which stands here: whatever a file
holds, what is used is what this version of structgen would make.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from structgen import cache
from structgen.automata.dfa import Dfa

KIND = "automata"
# Of the automata of `format_language`, in the json-string encoding. `tests/test_json_schema_formats.py`
# makes them anew, and says what to write here where a format has become another one.
DIGESTS = {
    "date": "69dfb654952f35638fd67720dd69f92b",
    "date-time": "affd9e34c21a043f354b4f01f2d46830",
    "duration": "aae78eebf6fba399b830ba65948d7714",
    "email": "c23fc2d8364deef2659900bf192146f7",
    "hostname": "9082d7e8208f2447aadfc4f0fb86c090",
    "idn-email": "9869e028b6ab7851e46f32f0673d94d1",
    "idn-hostname": "5c10bf71bdd1ec8330db633b434ce09b",
    "ipv4": "be05beac1db99cdcdb3eb525de483a4e",
    "ipv6": "4d1db539a0296c0ddc03961fac38fc13",
    "iri": "bbe81de720515941c224d47f8f00af42",
    "iri-reference": "116ab50277a6ddfedfe31639583ab97c",
    "json-pointer": "d29e7a43d3278b5511dbdaed8500b793",
    "regex": "51f4b115958430d00903619dc5180a68",
    "relative-json-pointer": "56892398afd6933c18793dd0c011a9a0",
    "time": "70ddc6554eae53826fdc9a669842c4bd",
    "uri": "aeec085155d28390523db7c788c6bdfd",
    "uri-reference": "7973f619ae840bc9e6d6a4070d769e20",
    "uri-template": "dc0bd852f784672002e3aadc0e4e70b8",
    "uuid": "751a962257876e59a504971f313ab9d9",
}
ENOUGH_STATES = 100_000  # none of them is larger on the way, so that this limit is never met
_logger = logging.getLogger(__name__)
_open: dict[str, Dfa | Mapping[str, npt.NDArray[Any]]] = {}  # by format; arrays until they are asked for


def key() -> str:
    """Of the file."""
    return hashlib.blake2b(repr(sorted(DIGESTS.items())).encode(), digest_size=16).hexdigest()


def saved(name: str) -> Dfa | None:
    """The automaton of a format, where `open_saved` has found a file that has it."""
    found = _open.get(name)
    if found is None or isinstance(found, Dfa):
        return found
    automaton = _read(name, found)
    if automaton is None:
        _logger.warning("the automaton of %r in the cache is damaged; it is made again", name)
        _open.clear()
        cache.discard(KIND, key())
    else:
        _open[name] = automaton
    return automaton


def open_saved(make: Callable[[str], Dfa]) -> None:
    """Open the file, and write it first with what ``make`` gives where there is none."""
    arrays = cache.load_arrays(KIND, key(), verify=False)
    if arrays is None:
        if not cache.can_store(KIND, key()):
            return
        arrays = {}
        for name in DIGESTS:
            automaton = make(name)
            arrays[f"{name}.transitions"] = automaton.transitions
            arrays[f"{name}.byte_class"] = automaton.byte_class
            arrays[f"{name}.accepting"] = automaton.accepting.view(np.uint8)
        cache.store_arrays(KIND, key(), arrays)
    for name in DIGESTS:
        _open.setdefault(name, arrays)


def _read(name: str, arrays: Mapping[str, npt.NDArray[Any]]) -> Dfa | None:
    parts = [arrays.get(f"{name}.{part}") for part in ("transitions", "byte_class", "accepting")]
    # in memory, as other automata are: kernels are compiled for that
    transitions, byte_class, accepting = (None if part is None else np.array(part) for part in parts)
    if transitions is None or byte_class is None or accepting is None or accepting.dtype != np.uint8:
        return None
    automaton = Dfa(transitions, byte_class, accepting.view(np.bool_))
    return automaton if automaton.digest.hex() == DIGESTS[name] else None
