"""The front door: sources in, compiled grammars for one vocabulary out."""

from __future__ import annotations

import json
import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from structgen.budget import Budget, Held
from structgen.compiled import CompiledGrammar, GrammarSource
from structgen.dormant_states import Awake
from structgen.errors import (
    OptionError,
    UnsatisfiableGrammarError,
    UnsatisfiableSchemaError,
    VocabularyError,
)
from structgen.general_grammars import general_store
from structgen.grammar import Grammar, Terminal
from structgen.mask_store import MaskStore
from structgen.rtn import build_rtn
from structgen.schema_copy import json_text, private_copy
from structgen.schema_tables import AT_ONCE, schema_tables, schema_warnings
from structgen.sources.json_schema import Snapshot
from structgen.symbols import symbol_grammar
from structgen.tables import build_tables
from structgen.vocabulary import Vocabulary
from structgen.warmup import ensure_kernels

if TYPE_CHECKING:
    from structgen.lexing.modes import IndentationSpec, ModeSpec
    from structgen.sources.json_schema.report import SchemaReport

# What is a JSON Schema, or a mistake that the front end explains; all else is a Python type. None is no type
# here: it is what a forgotten argument looks like.
_DROPPED_PART = 32  # of the grammars that are kept: so many go together
_JSON_VALUES = (dict, str, Mapping, bool, int, float, list, tuple, bytes, type(None))  # the usual first


class Compiler:
    """Compiles grammars for one vocabulary. Keep one per model; safe for several threads.

    All its grammars share one mask store, which begins with what is on disk for the vocabulary. The last
    ``cache_size`` results are kept by source and options; what is not is compiled again, mostly in a
    millisecond or two.

    ``cache_bytes``: at most so many bytes of memory are kept: a quarter for masks, the rest for grammars and
    their records. What was used least recently goes first; None: no bound. Matchers that are alive stay
    right, and keep what their texts need.
    """

    def __init__(
        self, vocabulary: Vocabulary, *, cache_size: int = 512, cache_bytes: int | None = 1 << 30
    ) -> None:
        if not isinstance(vocabulary, Vocabulary):
            raise OptionError("vocabulary", vocabulary, "a Vocabulary (see Vocabulary.from_tokenizer)")
        if isinstance(cache_size, bool) or not isinstance(cache_size, int) or cache_size < 0:
            raise OptionError("cache_size", cache_size, "an int of at least 0")
        if cache_bytes is not None and (
            isinstance(cache_bytes, bool) or not isinstance(cache_bytes, int) or cache_bytes < 0
        ):
            raise OptionError("cache_bytes", cache_bytes, "an int of at least 0, or None")
        ensure_kernels()
        self.vocabulary = vocabulary
        for_masks = None if cache_bytes is None else cache_bytes // 4
        self.store = MaskStore(vocabulary, general_store(vocabulary), for_masks)
        here = weakref.ref(self)

        def let_go(grammar: Held) -> None:
            compiler = here()
            if compiler is not None and isinstance(grammar, CompiledGrammar):
                compiler._let_go(grammar)

        left = None if cache_bytes is None or for_masks is None else cache_bytes - for_masks
        self._awake = Awake()
        self._budget = Budget(left, let_go, self._awake.remains)
        self._cache_size = cache_size
        self._cache: OrderedDict[tuple[str, str | Snapshot, str], CompiledGrammar] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes of memory that masks and grammars take, as far as it is bounded by ``cache_bytes``."""
        return self.store.nbytes + self._budget.nbytes

    @property
    def n_cached(self) -> int:
        """How many results are kept."""
        return len(self._cache)

    def json_schema(self, schema: Mapping[str, Any] | bool | str | Any, **options: Any) -> CompiledGrammar:
        """JSON texts that are valid under a JSON Schema (a mapping, a bool, or its JSON text), or that are
        values of a Python type or the arguments of a function (see `structgen.schema_of`).

        Options: see `structgen.sources.json_schema.SchemaOptions`. Raises `InvalidSchemaError`,
        `UnsupportedSchemaError`, `UnsatisfiableSchemaError`, `CompileLimitError`, `OptionError`, and
        `PythonTypeError` for a type that has no exact schema.
        """
        given, options = _as_schema(schema, options)
        text: str | Snapshot
        snapshot: Snapshot | None = None
        if type(given) is dict:
            snapshot = Snapshot.of(given)
        elif isinstance(given, str):
            snapshot = Snapshot.of_text(given)
        if snapshot is not None:
            text, is_json = snapshot, True
        else:
            text, is_json = (given, True) if isinstance(given, str) else json_text(given)
        source = GrammarSource("json_schema", text, dict(options))
        # made again from its text alone, which says nothing of a registry that may change
        sleeps = is_json and not options.get("registry")

        def compiled_now() -> CompiledGrammar:
            own = private_copy(given) if snapshot is None else snapshot
            return self._compiled_schema(own, source, sleeps=sleeps)

        return self._cached(source, compiled_now) if is_json else compiled_now()

    def validate(self, schema: Mapping[str, Any] | bool | str | Any, **options: Any) -> None:
        """Raises what `json_schema` would raise, and keeps nothing."""
        given, options = _as_schema(schema, options)
        self._compiled_schema(given, GrammarSource("json_schema", "", dict(options)), sleeps=False)

    def report(self, schema: Mapping[str, Any] | bool | str | Any, **options: Any) -> SchemaReport:
        """What becomes of each keyword of a schema or Python type: enforced, or why not.

        Options as in `json_schema`. Nothing is compiled: what cannot be enforced is a row, no error. Raises
        `InvalidSchemaError`, `CompileLimitError`, `OptionError`, `PythonTypeError`.
        """
        from structgen.sources.json_schema.report import schema_report

        given, options = _as_schema(schema, options)
        return schema_report(given, **options)

    def _compiled_schema(
        self, schema: Mapping[str, Any] | bool | str | Snapshot, source: GrammarSource, *, sleeps: bool
    ) -> CompiledGrammar:
        tables = schema_tables(
            schema,
            source.options,
            self.vocabulary,
            AT_ONCE,
            awake=self._awake if sleeps else None,
            text=source.given,
        )
        compiled = CompiledGrammar(
            tables, self.store, source, warnings=schema_warnings(tables), budget=self._budget
        )
        if not (self.store.is_byte_complete or compiled.machine.is_satisfiable):
            raise UnsatisfiableSchemaError("", "no text matches that the vocabulary's tokens can spell")
        if sleeps:  # so there is no registry of the user's, which may refer to anything
            compiled.untrack()
        return compiled

    def regex(
        self, pattern: str, dialect: Literal["python", "ecma"] = "python", *, flags: str = ""
    ) -> CompiledGrammar:
        """Texts that a regular expression matches as a whole.

        ``dialect``: 'python' (the `re` module) or 'ecma' (ECMA-262, as in JSON Schema). Raises
        `InvalidRegexError`, `UnsupportedRegexError`, `UnsatisfiableGrammarError`, `CompileLimitError`.
        """
        from structgen.regex import parse

        def grammar() -> Grammar:
            node = parse(pattern, dialect, flags=flags)
            return Grammar({"start": Terminal(node, "regex")}, "start", "regex")

        return self._compiled("regex", pattern, {"dialect": dialect, "flags": flags}, grammar)

    def lark(
        self,
        grammar: str | Path,
        start: str = "start",
        *,
        lexer: Literal["contextual", "basic", "dynamic_complete"] = "contextual",
        import_paths: Sequence[Path] = (),
    ) -> CompiledGrammar:
        """Texts of a Lark grammar, given as text or as a Path. ``import_paths``: folders for its ``%import``.

        ``lexer``: how text is cut into terminals. 'contextual': the longest match among the terminals that
        the parser takes at the place; 'basic': among all terminals; of matches of one length the terminal
        of higher priority, then strings before regexes. 'dynamic_complete': every way to cut it counts.
        Any grammar may be given; those that are LALR(1) are faster.

        Raises `InvalidGrammarError`, `UnsupportedGrammarError`, `UnsatisfiableGrammarError`,
        `CompileLimitError`, `OptionError`.
        """
        if lexer not in ("contextual", "basic", "dynamic_complete"):
            raise OptionError("lexer", lexer, "'contextual', 'basic' or 'dynamic_complete'")
        text = grammar.read_text(encoding="utf-8") if isinstance(grammar, Path) else grammar
        paths = [str(path) for path in import_paths]
        options = {"start": start, "lexer": lexer, "import_paths": paths}
        if lexer == "dynamic_complete":
            from structgen.sources.lark import lark_grammar

            return self._compiled(
                "lark", text, options, lambda: lark_grammar(grammar, start, import_paths=import_paths)
            )
        source = GrammarSource("lark", text, options)
        return self._cached(
            source, lambda: self._lexed(grammar, start, source, lexer, import_paths=import_paths)
        )

    def _lexed(
        self,
        grammar: str | Path,
        start: str,
        source: GrammarSource,
        lexer: Literal["contextual", "basic"],
        *,
        import_paths: Sequence[Path] = (),
        starts: Sequence[str] | None = None,
        modes: Sequence[ModeSpec] = (),
        indentation: IndentationSpec | None = None,
    ) -> CompiledGrammar:
        """A grammar whose text a lexer cuts. ``starts`` (all start rules), ``modes``, ``indentation``: of a
        builtin grammar's profile.
        """
        ensure_kernels("lexer")
        from structgen.lexing.build import build_lexed
        from structgen.sources.lark_lexed import lexed_source

        if not self.store.is_byte_complete:
            raise VocabularyError(
                "a grammar with a lexer needs a vocabulary in which each byte that occurs is a token"
            )
        also = [name for mode in modes for name in (*(mode.only or ()), *mode.patterns)]
        read = lexed_source(grammar, start, import_paths=import_paths, terminals=also, whole=starts)
        tables = build_lexed(read, lexer, self.vocabulary, modes, indentation)
        compiled = CompiledGrammar(tables, self.store, source, budget=self._budget)
        if not compiled.machine.is_satisfiable:
            raise UnsatisfiableGrammarError("no text matches that the vocabulary's tokens can spell")
        return compiled

    def gbnf(
        self, grammar: str, root: str = "root", *, undefined: Literal["error", "nothing"] = "error"
    ) -> CompiledGrammar:
        """Texts of a GBNF grammar (llama.cpp's format). ``undefined="nothing"``: rules that are used but not
        defined match nothing, instead of being an error. Raises as `lark`.
        """
        from structgen.sources.gbnf import gbnf_grammar

        return self._compiled(
            "gbnf",
            grammar,
            {"root": root, "undefined": undefined},
            lambda: gbnf_grammar(grammar, root, undefined=undefined),
        )

    def choice(self, options: Sequence[str]) -> CompiledGrammar:
        """Exactly one of these texts. Raises `OptionError` when there is none or one is not a str."""
        from structgen.sources.choice import choice_grammar

        grammar = choice_grammar(options)  # checks them, so that they can be written as JSON
        return self._compiled("choice", json.dumps(list(options)), {}, lambda: grammar)

    def grammar(self, name: str, start: str | None = None) -> CompiledGrammar:
        """A grammar that comes with structgen, by name. ``start``: the rule that a text is one of; None: what
        the language calls a file, document or program.

        Raises `OptionError` for an unknown name or start rule.
        """
        from structgen_grammars import profiles

        known = profiles()
        if name not in known:
            raise OptionError("name", name, f"one of {', '.join(sorted(known))}")
        profile = known[name]
        first = profile.starts[0] if start is None else start
        if start is not None and start not in profile.starts:
            raise OptionError("start", start, f"one of {', '.join(profile.starts)}")
        if profile.lexer == "dynamic_complete":
            return self.lark(profile.path, first, lexer="dynamic_complete")
        lexer: Literal["contextual", "basic"] = profile.lexer
        source = GrammarSource("grammar", name, {"start": first})
        return self._cached(
            source,
            lambda: self._lexed(
                profile.text,
                first,
                source,
                lexer,
                starts=profile.starts,
                modes=profile.modes,
                indentation=profile.indentation,
            ),
        )

    def compile(self, grammar: Grammar, source: GrammarSource | None = None) -> CompiledGrammar:
        """A `Grammar` made by hand or by a front end.

        Raises `UnsatisfiableGrammarError`, `CompileLimitError`.
        """
        symbols = symbol_grammar(grammar, self.vocabulary.alphabet)
        rtn = build_rtn(symbols)
        tables = build_tables(rtn, symbols.terminals, self.vocabulary.eos_token_ids, self.store.longest_token)
        compiled = CompiledGrammar(
            tables, self.store, source or GrammarSource(grammar.source_kind, ""), budget=self._budget
        )
        if rtn.is_empty or not (self.store.is_byte_complete or compiled.machine.is_satisfiable):
            reason = "no text matches"
            if not (self.vocabulary.has_all_bytes and self.store.is_byte_complete):
                reason += " that the vocabulary's tokens can spell"
            recursive = grammar.source_kind in ("lark", "gbnf")
            remedy = "every rule needs an alternative that ends without calling itself" if recursive else ""
            raise UnsatisfiableGrammarError(reason, remedy=remedy)
        return compiled

    def load(self, path: str | os.PathLike[str]) -> CompiledGrammar:
        """`CompiledGrammar.load` for this vocabulary, sharing this compiler's mask store and its bound."""
        return CompiledGrammar.load(path, self.vocabulary, store=self.store, budget=self._budget)

    def _compiled(
        self, kind: str, text: str, options: Mapping[str, Any], grammar: Callable[[], Grammar]
    ) -> CompiledGrammar:
        source = GrammarSource(kind, text, dict(options))
        return self._cached(source, lambda: self.compile(grammar(), source))

    def _cached(self, source: GrammarSource, compiled_now: Callable[[], CompiledGrammar]) -> CompiledGrammar:
        key = _key(source)
        with self._lock:
            known = self._cache.get(key)
            if known is not None:
                self._cache.move_to_end(key)
                return known
        compiled = compiled_now()
        with self._lock:
            self._cache[key] = compiled
            if len(self._cache) > self._cache_size:
                # several at once, so that not every compilation after this has to free a grammar
                for _ in range(1 + self._cache_size // _DROPPED_PART):
                    self._cache.popitem(last=False)
        return compiled

    def _let_go(self, grammar: CompiledGrammar) -> None:
        key = _key(grammar.source)
        with self._lock:
            if self._cache.get(key) is grammar:
                del self._cache[key]


def _key(source: GrammarSource) -> tuple[str, str | Snapshot, str]:
    options = json.dumps(dict(source.options), sort_keys=True, default=repr) if source.options else ""
    return source.kind, source.given, options


def _as_schema(given: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """A schema, or that of a Python type: its integers are plain, as pydantic reads no others as int."""
    if isinstance(given, _JSON_VALUES):
        return given, options
    from structgen.sources.python_types import schema_of

    return schema_of(given), {"integers": "plain", **options}
