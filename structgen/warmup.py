"""The first run on a machine: numba compiles the kernels once, and whoever waits is told why.

Numba keeps what it compiled on disk, so this costs tens of seconds once and nothing later. A marker in the
cache folder says that it was done for these sources, versions and processor. A process loads each kernel when
it first needs it, or all of them at once (`warm_up`).
"""

from __future__ import annotations

import gc
import hashlib
import sys
import threading
from pathlib import Path
from typing import Literal, get_args

from structgen import cache
from structgen.errors import OptionError

_MARKER_KIND = "kernels"
_lock = threading.RLock()
_done: set[str] = set()  # compiled, on disk
_loaded: set[str] = set()  # into this process
Part = Literal["engine", "lexer", "sampling"]


def warm_up(*parts: Part, freeze: bool = False) -> None:
    """Load the kernels of some parts into this process (all of them where none is named), a second or two.

    Without it each is loaded when it is first needed, 3 to 40 ms in the middle of a text. For servers,
    before their first request. 'engine': what every grammar needs; 'lexer': grammars with a lexer;
    'sampling': `structgen.sample`. Raises `OptionError` for another name.

    ``freeze``: and let Python's garbage collector look no more at what the process holds by now
    (`gc.collect`, then `gc.freeze`). With PyTorch that is some 250,000 containers, and a full collection,
    which stops all threads, takes 0.1 to 0.2 s; without them a few ms. What is there now and becomes
    unreachable in a cycle later is not freed any more: a server does well to ask for it when its model is
    loaded, a notebook that loads one model after another does not, so it is not the default.
    """
    for part in parts:
        if part not in get_args(Part):
            raise OptionError("parts", part, f"some of {', '.join(get_args(Part))}")
    chosen: tuple[Part, ...] = parts or get_args(Part)
    for part in chosen:
        ensure_kernels(part)
        with _lock:
            if part not in _loaded:
                _run_all_of(part)
    if freeze:
        gc.collect()
        gc.freeze()


def ensure_kernels(part: Part = "engine") -> None:
    """Compile all kernels of a part unless that was done before, with a message on stderr. See `warm_up`."""
    with _lock:
        if part in _done:
            return
        key = _key(part)
        if cache.load_arrays(_MARKER_KIND, key) is None:
            if sys.stderr is not None:
                print(
                    "structgen: compiling its kernels for this machine, once; this takes up to a minute ...",
                    file=sys.stderr,
                    flush=True,
                )
            _run_all_of(part)
            import numpy as np

            cache.store_arrays(_MARKER_KIND, key, {"done": np.ones(1, np.uint8)})
        _done.add(part)


def _run_all_of(part: Part) -> None:
    """Run every kernel of a part once."""
    if part == "engine":
        _exercise()
    elif part == "lexer":
        _exercise_lexer()
    else:
        _exercise_sampling()
    _loaded.add(part)


def _key(part: Part) -> str:
    import numba
    from llvmlite import binding
    from structgen_kernels import jit

    # numba keeps the code of each place of a source apart: two environments compile the same sources twice
    place = Path(jit.__file__).resolve().parent
    versions = (sys.version, numba.__version__, binding.get_host_cpu_name(), jit.sources_digest())
    return hashlib.blake2b(repr((versions, str(place), part)).encode(), digest_size=16).hexdigest()


def _exercise() -> None:
    """Compile and match with grammars that come through every kernel once."""
    import numpy as np
    from structgen_kernels.parser import rehash_steps
    from structgen_kernels.records import copy_text, rehash_interned

    from structgen.automata import json_text
    from structgen.automata.build import compile_regex, difference, literal
    from structgen.automata.dfa import BoundedDfa, CountedDfa
    from structgen.automata.marked import marked
    from structgen.batch import fill_bitmasks
    from structgen.bitmask import allocate_bitmask
    from structgen.charset import ANY
    from structgen.compiled import CompiledGrammar, GrammarSource
    from structgen.grammar import Choice, Grammar, RuleRef, Sequence, Terminal
    from structgen.mask_store import MaskStore
    from structgen.regex import parse
    from structgen.regex.syntax import ANYTHING, Chars, Complement, Intersection, Literal, Repeat
    from structgen.rtn import build_rtn
    from structgen.schema_tables import AHEAD, AT_ONCE, schema_tables
    from structgen.sources.json_schema.snapshot import Snapshot
    from structgen.sources.json_schema.survey import dialect_at, dialect_name
    from structgen.store_entries import few, name_by_language, profile_name, stored_states, walked
    from structgen.symbols import symbol_grammar
    from structgen.tables import build_tables
    from structgen.vocabulary import Vocabulary

    vocabulary = Vocabulary([bytes([byte]) for byte in range(256)] + [b"ab", b'",', None], 258)
    json_text.key("a")
    json_text.string_except(frozenset({"a"}))
    literal(b"a" * 9000)  # large enough to be hashed by its runs
    # over kinds of code points
    compile_regex(Intersection(Literal("ab"), Complement(Literal("b"))), "json-string")
    json_text.matching(Literal("ab"))
    marked(Repeat(Literal("ab"), 0, 200), 1 << 20)
    text = difference(compile_regex(ANYTHING, "json-string"), literal(b"ab"))
    counted = CountedDfa(b'"', compile_regex(Chars(ANY), "json-string"), 1, 300, b'"')
    bounded = BoundedDfa(b"", text, 300, b'"')
    rule = Choice(
        (
            Sequence((Terminal(literal(b"[")), Terminal(text), Terminal(literal(b",")), RuleRef("s"))),
            Terminal(counted),
            Sequence((Terminal(literal(b"'")), Terminal(bounded))),
        )
    )
    symbols = symbol_grammar(Grammar({"s": rule}, "s", "lark"), vocabulary.alphabet)
    tables = build_tables(
        build_rtn(symbols), symbols.terminals, vocabulary.eos_token_ids, vocabulary.max_token_length
    )
    store = MaskStore(vocabulary)
    for state in stored_states(store.walks, tables):
        if profile_name(tables, state) is None:
            name_by_language(tables, state)  # as in a large vocabulary
            walked(store.walks, tables, state)
    for state in range(1, tables.n_terminal_states):
        few(store.walks, tables, state)  # of the counted terminal's head, too
    compiled = CompiledGrammar(tables, store, GrammarSource("lark", ""))
    matcher = compiled.matcher()
    bitmask = allocate_bitmask(1, vocabulary.size)
    # tables of steps and of records are hardly ever full in so short texts
    rehash_steps(np.zeros(1, np.int64), np.zeros(1, np.int64))
    rehash_interned(np.zeros(2, np.int32), np.zeros(2, np.int32))
    copy_text(np.zeros(1, np.int32), 0, np.zeros(1, np.uint8))
    for token in b"[" + bytes(range(48, 58)) * 20 + b',"' + bytes(range(65, 91)) * 8:
        matcher.fill_bitmask(bitmask, 0)
        matcher.accept(token)
    store.clear()  # the machine forgets its masks
    matcher.fill_bitmask(bitmask, 0)
    matcher.reset()
    fill_bitmasks([matcher], bitmask)
    for token in b"'12":
        matcher.fill_bitmask(bitmask, 0)
        matcher.accept(token)
    matcher.forced_bytes()
    matcher.accept_bytes(np.zeros(0, np.uint8).tobytes())
    # a schema that is given as Python objects, large enough to be read in parts
    members = '{"a": {"items": {}}, "b": true}, "enum": [[]]'
    large = Snapshot.of_text(f'{{"title": "{"a" * 4096}", "properties": {members}}}')
    if large is not None:
        schema_tables(large, {}, vocabulary, AT_ONCE, timed=False)
        named = Snapshot(b"{z\x07$schemaN0")
        dialect_name(named, dialect_at(named))
    # containers that are described at once, one of them found by its pointer
    inner = '{"type": "object", "properties": {"b": {"type": "array"}, "c": {}}, "required": ["b"]}'
    plain = Snapshot.of_text(f'{{"type": "object", "properties": {{"a": {{"anyOf": [{inner}, {{}}]}}}}}}')
    if plain is not None:
        schema_tables(plain, {}, vocabulary, AHEAD, timed=False)
    # a grammar that grows, and texts that are remembered
    grown = schema_tables(
        {
            "properties": {"b": {}, "c": {"enum": ["a", "b"]}, "d": {"minimum": 1}},
            "additionalProperties": {"uniqueItems": True, "items": {"maxLength": 300}},
        },
        {},
        vocabulary,
        AHEAD,
        timed=False,
    )
    # modules and tables that are loaded when a schema first has a pattern, or refers to a meta-schema
    parse("a", "python")
    later = {"$ref": "http://json-schema.org/draft-07/schema#", "properties": {"a": {"pattern": r"^\p{L}\w"}}}
    schema_tables(later, {}, vocabulary, AT_ONCE, timed=False)
    compiled = CompiledGrammar(grown, MaskStore(vocabulary), GrammarSource("json_schema", ""))
    compiled.precompute()
    vocabulary.tokenize_bytes(b"ab")
    matcher = compiled.matcher()
    for token in b'{"c":"a","a":["b",1,{}],"\\u0062":["c","\\ud83d\\ude00"],"ab':
        matcher.fill_bitmask(bitmask, 0)
        matcher.accept(token)
        matcher.forced_bytes()


def _exercise_sampling() -> None:
    """Rows of masses of both precisions, and the output layer."""
    import numpy as np
    from structgen_kernels.apply_cpu import mask_rows
    from structgen_kernels.projection import packed, project, project_few
    from structgen_kernels.rows import (
        block_sums,
        draw,
        exp_and_sum,
        fall_on,
        largest_of_blocks,
        masses_of_few,
        mean_log,
        take_out,
    )

    bitmask, sums, places = np.ones((1, 1), np.int32), np.zeros((1, 1)), np.arange(1)
    for dtype, bits in ((np.float32, np.int32), (np.float64, np.int64)):
        scores, masses = np.zeros((1, 8), dtype), np.ones((1, 8), dtype)
        mask_rows(masses.reshape(-1).view(bits), 8, 8, bitmask, places, bits(0))
        block_sums(masses, sums)
        mean_log(masses[0], scores[0], 0.0)
        draw(masses, sums, np.zeros(1, np.int64), np.zeros(1), np.zeros(1, np.int64))
        fall_on(sums[0], 0.0)
        fall_on(masses[0], 0.0)
        largest_of_blocks(masses[0], sums[0])
        take_out(masses[0].copy(), 0)
        masses_of_few(masses[0], scores[0], bitmask[0])
        if dtype is np.float32:
            exp_and_sum(scores, np.zeros(1, dtype), masses, sums)
            logits = np.zeros((1, 1), dtype)
            project(scores, packed(scores), logits, 0, 1)
            project_few(scores, scores, logits, 0, 1)


def _exercise_lexer() -> None:
    """The same for grammars with a lexer: one with several readings, and one with blocks and modes."""
    from structgen_grammars import profiles

    from structgen.bitmask import allocate_bitmask
    from structgen.compiled import CompiledGrammar, GrammarSource
    from structgen.lexing.build import build_lexed
    from structgen.mask_store import MaskStore
    from structgen.sources.lark_lexed import lexed_source
    from structgen.vocabulary import Vocabulary

    vocabulary = Vocabulary([bytes([byte]) for byte in range(256)] + [b"a b", b"if ", b"\n  ", None], 259)
    store = MaskStore(vocabulary)
    ambiguous = 'start: x+ ";"\nx: NAME | x "-" x | "if" x\nNAME: /[a-z]+/\n%ignore /[ \\n]+/'
    read = lexed_source(ambiguous, "start", import_paths=(), terminals=[], whole=None)
    tables = build_lexed(read, "contextual", vocabulary, (), None)
    small = CompiledGrammar(tables, store, GrammarSource("lark", ""))
    small.precompute()
    python = profiles()["python"]
    named = [name for mode in python.modes for name in (*(mode.only or ()), *mode.patterns)]
    read = lexed_source(python.path, python.starts[0], import_paths=(), terminals=named, whole=python.starts)
    tables = build_lexed(read, "basic", vocabulary, python.modes, python.indentation)
    large = CompiledGrammar(tables, store, GrammarSource("grammar", "python"))
    bitmask = allocate_bitmask(1, vocabulary.size)
    texts = {small: b"if a - b - cd - e if f;", large: b"if a:\n    f(1)\n    pass\nx = [\n1]\n"}
    for compiled, text in texts.items():
        matcher = compiled.matcher()
        for token in text:
            matcher.fill_bitmask(bitmask, 0)
            matcher.forced_bytes()
            matcher.following_bytes()
            matcher.accept(token)
        matcher.accept_bytes(b"")
