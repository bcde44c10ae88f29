"""The Hugging Face side: a logits processor that holds `model.generate` to a grammar.

The processor is told nothing but the ids so far and the scores. Which call of `generate` it is in, where
the prompt ends, and which row of the step before a row continues (beams are reordered, dropped and
doubled between steps) it therefore reads from the ids, by exact comparison and never by row number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from structgen.apply import apply_bitmask_
from structgen.batch import fill_bitmasks
from structgen.bitmask import allocate_bitmask
from structgen.compiled import CompiledGrammar
from structgen.errors import BitmaskError, GenerationError, OptionError
from structgen.matcher import Matcher
from structgen.sampling.guided_scores import GuidedMethod, GuidedScores

_LOG_PROBABILITY_TOLERANCE = 1e-3  # float32 log_softmax over 131k columns sums to 1 within 1e-5


@dataclass(frozen=True, slots=True)
class _Step:
    """What the last step left: its ids, and where each row stands. None: a row that ended elsewhere."""

    prompt_length: int
    ids: NDArray[np.int64]  # (rows, length)
    matchers: list[Matcher | None]


class LogitsProcessor(transformers.LogitsProcessor):
    """Allows, at each step of `model.generate`, what the grammar allows: ``logits_processor=[...]``.

    grammars: one compiled grammar for all rows, or one for each prompt; with ``num_beams`` or
        ``num_return_sequences`` row r is of prompt r // (rows / prompts). All of one vocabulary.
    prompt_length: ids before the generated text, padding included. Without it the length at the first
        step of each call of `generate` counts, so that one processor serves any number of calls.
    pad_token_id: needed only where a stopping criterion other than EOS ends some rows before others:
        the id that `generate` then puts there, which the grammar would refuse.

    method: what is drawn from. "local": the model's distribution, masked and renormalised at each step, which
        is not the model's distribution over valid texts. "asap": comes closer to that with every call, from
        what the calls before showed; always valid. "cars": exactly that from the first call on, but a call
        may draw an invalid text: `accepted` says which rows to keep. Both are for ``do_sample=True`` without
        beams and with ``top_k=0`` (transformers' default is 50), and remember each prompt by itself. See
        `structgen.sample`, which shares the model's passes between tries.
    temperature: that of the call of `generate`, for "asap" and "cars".

    Raises `OptionError` on wrong arguments here, and in a step: `GenerationError` when a row cannot go on
    (the grammar refuses a token that another processor forced, every allowed score is already minus
    infinity, scores are NaN, rows do not fit the grammars), so that no NaN is sampled from;
    `BitmaskError` when the scores have no columns for some of the vocabulary's text.

    A call whose prompt is just the ids that the last call was in the middle of is taken for its next
    step; `reset` between them tells them apart.
    """

    def __init__(
        self,
        grammars: CompiledGrammar | Sequence[CompiledGrammar],
        *,
        prompt_length: int | None = None,
        pad_token_id: int | None = None,
        method: Literal["local", "asap", "cars"] = "local",
        temperature: float = 1.0,
    ) -> None:
        self._grammars = checked_grammars(grammars)
        if method not in ("local", *get_args(GuidedMethod)):
            raise OptionError("method", method, "one of local, asap, cars")
        if method == "local":
            self._guide: GuidedScores | None = None
        else:
            self._guide = GuidedScores(self._grammars, method, temperature)
        self._vocabulary = self._grammars[0].vocabulary
        self._eos = torch.tensor(self._vocabulary.eos_token_ids)
        if prompt_length is not None and (not isinstance(prompt_length, int) or prompt_length < 0):
            raise OptionError("prompt_length", prompt_length, "a number of ids, or None")
        self._prompt_length = prompt_length
        self._pad_token_id = pad_token_id
        self._last: _Step | None = None
        self._checked_width = -1
        self._bitmask = allocate_bitmask(1, self._vocabulary.size)

    def reset(self) -> None:
        """Forget the call of `generate` that was under way: the next step begins a new one."""
        self._last = None
        if self._guide is not None:
            self._guide.reset()

    def accepted(self, sequences: torch.Tensor) -> list[bool]:
        """Of "asap" and "cars": which rows of what `generate` returned are complete, valid texts.

        sequences: int (rows, length), of the last call. Kept rows of "cars" are independent exact draws from
        the model's distribution over valid texts that end within the call's ``max_new_tokens``.
        """
        if self._guide is None:
            raise OptionError("method", "local", "'asap' or 'cars': nothing else rejects rows")
        return self._guide.accepted(np.ascontiguousarray(sequences.cpu().numpy(), np.int64))

    @property
    def bounds(self) -> list[float]:
        """Of "asap" and "cars": for each prompt so far an upper bound on the model's mass on valid texts."""
        return [] if self._guide is None else self._guide.bounds

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Scores (rows, width) for the ids so far (rows, length); returns a new tensor."""
        last, self._last = self._last, None  # an error leaves nothing half done
        self._check_shapes(input_ids, scores)
        ids = np.ascontiguousarray(input_ids.cpu().numpy(), np.int64)
        if self._guide is not None:
            return self._guide.step(ids, scores)  # type: ignore[return-value]  # a FloatTensor, says its base
        step, refused = self._begin_or_continue(last, ids)
        masked: Any = scores.clone(memory_format=torch.contiguous_format)
        self._apply(masked, step.matchers)
        self._settle_stuck(step, refused, scores, masked)
        for row, matcher in enumerate(step.matchers):
            if matcher is None or matcher.is_terminated:
                self._allow_only_eos(masked, scores, row, dropped=matcher is None)
        self._last = step
        return masked  # type: ignore[no-any-return]

    def _check_shapes(self, input_ids: torch.Tensor, scores: torch.Tensor) -> None:
        if scores.dim() != 2 or input_ids.dim() != 2 or len(input_ids) != len(scores):
            raise BitmaskError(
                f"input_ids {tuple(input_ids.shape)}, scores {tuple(scores.shape)}: expected (rows, length) "
                "and (rows, width) of as many rows"
            )
        if len(scores) == 0 or len(scores) % len(self._grammars):
            raise GenerationError(
                f"{len(scores)} rows for {len(self._grammars)} grammars: expected one grammar for each "
                "prompt, so a multiple of them"
            )
        width = scores.shape[1]
        if width != self._checked_width:
            check_width(self._grammars[0], width)
            self._checked_width = width

    # -- where each row stands ---------------------------------------------------------------------

    def _begin_or_continue(self, last: _Step | None, ids: NDArray[np.int64]) -> tuple[_Step, list[int]]:
        """The step that these ids are, and the rows whose last id the grammar refuses."""
        rows, length = ids.shape
        parents = self._parents(last, ids)
        if last is not None and parents is not None:
            return self._next(last, parents, ids)
        if self._prompt_length is not None:
            prompt_length = self._prompt_length
            if length < prompt_length:
                raise GenerationError(f"{length} ids, but prompt_length is {prompt_length}")
        else:
            if last is not None and self._steps_back(last, ids):
                raise GenerationError(
                    f"{length} ids that repeat, but for the last, ids of the step before: a step back "
                    "in the same call (assisted generation), or a new prompt? Pass prompt_length=, or "
                    "reset() the processor before each call"
                )
            prompt_length = length
        begin: list[Matcher | None] = [self._grammar(row, rows).matcher() for row in range(rows)]
        step = _Step(prompt_length, ids[:, :prompt_length], begin)
        refused: list[int] = []
        for end in range(prompt_length + 1, length + 1):
            if refused:
                break
            step, refused = self._next(step, list(range(rows)), ids[:, :end])
        if refused:
            raise GenerationError(self._refusal(refused[0], step))
        return step, []

    def _grammar(self, row: int, rows: int) -> CompiledGrammar:
        return self._grammars[row * len(self._grammars) // rows]

    def _parents(self, last: _Step | None, ids: NDArray[np.int64]) -> list[int] | None:
        """For each row the row of the last step that it continues; None if some row continues none."""
        if last is None or (len(ids), ids.shape[1] - 1) != last.ids.shape:
            return None
        same = (ids[:, :-1] == last.ids).all(axis=1)
        if same.all():
            return list(range(len(ids)))
        share = len(ids) // len(self._grammars)  # rows of one prompt
        before = {(row // share, last.ids[row].tobytes()): row for row in range(len(ids))}
        parents = [before.get((row // share, ids[row, :-1].tobytes())) for row in range(len(ids))]
        return [row for row in parents if row is not None] if None not in parents else None

    def _steps_back(self, last: _Step, ids: NDArray[np.int64]) -> bool:
        """Whether these could be ids of the last step's call again, cut short, with another last id."""
        length = ids.shape[1]
        if len(ids) != len(last.ids) or not last.prompt_length < length <= last.ids.shape[1]:
            return False
        known = {row.tobytes() for row in last.ids[:, : length - 1]}
        return all(row.tobytes() in known for row in ids[:, :-1])

    def _next(self, last: _Step, parents: list[int], ids: NDArray[np.int64]) -> tuple[_Step, list[int]]:
        """Each row after its last id, and the rows where it is refused. Rows of one text share a matcher."""
        made: dict[tuple[int, int], Matcher | None] = {}
        matchers: list[Matcher | None] = []
        refused = []
        for row, (parent, token) in enumerate(zip(parents, ids[:, -1].tolist(), strict=True)):
            before = last.matchers[parent]
            if before is None or before.is_terminated:
                matchers.append(before)
                continue
            key = (id(before), token)
            if key not in made:
                child = before.fork()
                made[key] = child if self._in_vocabulary(token) and child.accept(token) else None
            matchers.append(made[key])
            if made[key] is None and token != self._pad_token_id:
                refused.append(row)
        return _Step(last.prompt_length, ids, matchers), refused

    def _in_vocabulary(self, token: int) -> bool:
        return 0 <= token < self._vocabulary.size

    def _refusal(self, row: int, step: _Step) -> str:
        token = int(step.ids[row, -1])
        before = filter(self._in_vocabulary, step.ids[row, step.prompt_length : -1].tolist())
        spelled = self._vocabulary.tokens[token] if self._in_vocabulary(token) else None
        return (
            f"row {row}: the grammar refuses token {token} ({spelled!r}) after "
            f"{self._vocabulary.decode(before)[-80:]!r}. Something else put it there: another logits "
            "processor, a forced token, or a stopping criterion that ended the row (then pass pad_token_id=)"
        )

    # -- what each row may do ------------------------------------------------------------------------

    def _apply(self, masked: torch.Tensor, matchers: list[Matcher | None]) -> None:
        places: dict[int, int] = {}
        rows = [places.setdefault(id(matcher), len(places)) for matcher in matchers]
        if len(self._bitmask) < len(places):
            self._bitmask = allocate_bitmask(len(matchers), self._vocabulary.size)
        different = [matchers[rows.index(place)] for place in range(len(places))]
        bitmask = self._bitmask[: len(places)]
        bitmask[:] = 0  # for the None among them
        fill_bitmasks(different, bitmask)
        bitmask = bitmask[:, : -(-masked.shape[1] // 32)]
        apply_bitmask_(masked, bitmask if len(places) == len(rows) else bitmask[rows])

    def _settle_stuck(
        self, step: _Step, refused: list[int], scores: torch.Tensor, masked: torch.Tensor
    ) -> None:
        """Raise for a row that cannot go on, or drop it where it is a beam of several.

        Beam search with sampling draws more candidates than there may be allowed ones, so that some are
        tokens of score minus infinity; HF keeps such beams, at a total of minus infinity, until others
        displace them. What tells a beam search: its scores are log-probabilities.
        """
        best = masked.amax(dim=1).tolist()
        stuck = dict.fromkeys(refused)
        for row, matcher in enumerate(step.matchers):
            if matcher is not None and not matcher.is_terminated and not math.isfinite(best[row]):
                stuck[row] = None
        for row in stuck:
            prompt = step.ids[row, : step.prompt_length]
            others = [
                other
                for other in range(len(step.ids))
                if other not in stuck
                and step.matchers[other] is not None
                and self._grammar(other, len(step.ids)) is self._grammar(row, len(step.ids))
                and np.array_equal(step.ids[other, : step.prompt_length], prompt)
            ]
            total = float(torch.logsumexp(scores[row].double(), dim=0))
            if not others or not abs(total) < _LOG_PROBABILITY_TOLERANCE:
                raise GenerationError(
                    self._refusal(row, step) if row in refused else _no_choice(row, best[row])
                )
            step.matchers[row] = None

    def _allow_only_eos(self, masked: torch.Tensor, scores: torch.Tensor, row: int, *, dropped: bool) -> None:
        """A row that is over still needs a finite score; `generate` looks at nothing of it but that.

        Its text stays as it is whichever EOS id comes. A dropped beam must not win against any other.
        """
        eos = self._eos.to(scores.device)
        if dropped:
            masked[row, eos] = torch.finfo(masked.dtype).min
        else:
            own = scores[row, eos]
            masked[row, eos] = own if bool(torch.isfinite(own).all()) else torch.zeros_like(own)


def _no_choice(row: int, best: float) -> str:
    if best == -math.inf:
        return (
            f"row {row}: every token that the grammar allows here has the score -inf already; another logits "
            "processor (min_new_tokens, bad_words_ids, suppress_tokens, forced tokens, ...) rules them out"
        )
    return f"row {row}: the model's scores are {best}; its weights, its precision or its input are broken"


def checked_grammars(
    given: CompiledGrammar | Sequence[CompiledGrammar], option: str = "grammars"
) -> list[CompiledGrammar]:
    """One or several compiled grammars of one vocabulary as a list. Raises `OptionError`."""
    grammars = (
        [given] if isinstance(given, CompiledGrammar) else list(given) if isinstance(given, Sequence) else []
    )
    if not grammars or not all(isinstance(grammar, CompiledGrammar) for grammar in grammars):
        raise OptionError(option, given, "a compiled grammar (see Compiler) or a list of them")
    if any(grammar.vocabulary != grammars[0].vocabulary for grammar in grammars):
        raise OptionError(option, given, "grammars compiled for one and the same vocabulary")
    return grammars


def check_width(grammar: CompiledGrammar, width: int) -> None:
    """Raise `BitmaskError` if ids of the vocabulary that matter have no column in scores of this width."""
    vocabulary = grammar.vocabulary
    if width >= vocabulary.size:
        return
    cut = [t for t in range(width, vocabulary.size) if vocabulary.tokens[t] or t in vocabulary.eos_token_ids]
    if cut:
        raise BitmaskError(
            f"scores: {width} columns for a vocabulary of {vocabulary.size} ids, of which {len(cut)} with "
            f"text or EOS have none (id {cut[0]} first); was the grammar compiled for another tokenizer?"
        )
