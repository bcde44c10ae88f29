"""Next-token distributions of a Hugging Face causal LM, for many prefixes of one prompt at a time.

All rows of a pass have the same length, so nothing is padded: rows are advanced together, one token a
pass, and keep their keys and values. A row may be continued by any number of rows (an index-select over
the cache), which is how particles are resampled; prefixes whose keys and values were set aside may join a
pass. What is counted:

- *logical* passes: the tokens that a sampler without any sharing would have run, one row at a time;
- *physical* passes: rows that the model really ran;
- *calls* of the model, each with all its rows.
"""

from __future__ import annotations

import inspect
import weakref
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import torch
import transformers

from structgen.errors import GenerationError, OptionError
from structgen.sampling.output_layer import faster, largest_matrix
from structgen.sampling.scored_rows import ScoredRows
from structgen.sampling.target import Target

KEPT_BYTES: Final = 512 << 20  # of keys and values set aside for later tries; the oldest go first
_ATTENTION: Final = {"full_attention", "sliding_attention", "chunked_attention"}


@dataclass(slots=True)
class Forwards:
    """Forward passes so far: see the module."""

    logical: int = 0
    physical: int = 0
    calls: int = 0


class Block:
    """Keys and values of one position for all rows of a pass: (layers, 2, rows, heads, size)."""

    __slots__ = ("__weakref__", "data")

    def __init__(self, data: torch.Tensor) -> None:
        self.data: torch.Tensor | None = data


@dataclass(frozen=True, slots=True)
class KeptRow:
    """One token's keys and values: a row of a block, gone when the block was dropped for room."""

    block: Block
    row: int

    def read(self) -> torch.Tensor | None:
        """(layers, 2, heads, size), or None."""
        return None if self.block.data is None else self.block.data[:, :, self.row]


@dataclass(slots=True)
class PromptCache:
    """The prompt's keys and values, a layer each (1, heads, length, size), and its last logits."""

    layers: list[tuple[torch.Tensor, torch.Tensor]]
    logits: torch.Tensor
    kept: _Kept = field(default_factory=lambda: _Kept(KEPT_BYTES))


class _Kept:
    """Blocks in the order they were made, with a bound on their bytes."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self._blocks: deque[tuple[weakref.ref[Block], list[int]]] = deque()

    def add(self, data: torch.Tensor) -> Block:
        block = Block(data)
        size = [data.numel() * data.element_size()]  # set to 0 when it is taken off
        self.bytes += size[0]
        weakref.finalize(block, self._take_off, size)
        self._blocks.append((weakref.ref(block), size))
        while len(self._blocks) > 1 and (self.bytes > self.most_bytes or self._blocks[0][1][0] == 0):
            reference, oldest_size = self._blocks.popleft()
            oldest = reference()
            if oldest is not None:
                oldest.data = None
            self._take_off(oldest_size)
        return block

    def _take_off(self, size: list[int]) -> None:
        self.bytes -= size[0]
        size[0] = 0


class LanguageModel:
    """One model with one prompt. ``prompt``: its ids, at least one."""

    def __init__(
        self, model: Any, prompt: Sequence[int], target: Target, cache: PromptCache | None = None
    ) -> None:
        self.model = model
        self.prompt = tuple(prompt)
        self.target = target
        self.forwards = Forwards()
        self._device = model.device
        self._largest = largest_matrix(model)
        parameters = inspect.signature(model.forward).parameters
        self._last_only = "logits_to_keep" in parameters
        self.keeps_cache = "past_key_values" in parameters and _only_attends(model.config)
        self._cache = cache if cache is not None else self._run_prompt()
        if any(keys is None for keys, _ in self._cache.layers):  # layers that share another's: not to be cut
            self.keeps_cache = False
        target.check_width(self._cache.logits.shape[1])

    @property
    def cache(self) -> PromptCache:
        """To hand to the next `LanguageModel` of the same model and prompt, which then need not run it."""
        return self._cache

    @property
    def width(self) -> int:
        """Columns of the logits."""
        return int(self._cache.logits.shape[1])

    def begin(self) -> Rows:
        """One row: the prompt."""
        return Rows(self, [()], self._cache.layers)

    def first_row(self) -> ScoredRows:
        """P(. | prompt), one row."""
        return self.target.scored(self._cache.logits)

    def _run_prompt(self) -> PromptCache:
        ids = torch.tensor([self.prompt], device=self._device)
        logits, layers = self.run(ids, [])
        return PromptCache(layers, logits)

    def run(
        self, ids: torch.Tensor, layers: list[tuple[torch.Tensor, torch.Tensor]]
    ) -> tuple[torch.Tensor, list[tuple[torch.Tensor, torch.Tensor]]]:
        """One call of the model: the logits after the last of ``ids`` (rows, length), all keys and values.

        ``layers``: what came before ``ids``; where the model keeps no cache that can be shared, ``ids`` are
        the whole rows.
        """
        options: dict[str, Any] = {"logits_to_keep": 1} if self._last_only else {}
        with torch.no_grad(), faster(self.model, ids.numel() * self._largest):
            if self.keeps_cache:
                cache: Any = transformers.DynamicCache(layers or None)
                output = self.model(input_ids=ids, past_key_values=cache, use_cache=True, **options)
                after = [(layer.keys, layer.values) for layer in cache.layers]
            else:
                output = self.model(input_ids=ids, use_cache=False, **options)
                after = []
        logits = output.logits[:, -1]
        self.forwards.physical += ids.shape[0] if after else ids.numel()
        self.forwards.calls += 1
        return logits, after


class Rows:
    """Prefixes of one length, the prompt not counted, and their keys and values.

    ``prefixes``: the tokens of each row after the prompt.
    """

    __slots__ = ("_layers", "_model", "prefixes")

    def __init__(
        self,
        model: LanguageModel,
        prefixes: list[tuple[int, ...]],
        layers: list[tuple[torch.Tensor, torch.Tensor]],
    ) -> None:
        self._model = model
        self.prefixes = prefixes
        self._layers = layers

    def advance(
        self,
        parents: Sequence[int],
        tokens: Sequence[int],
        joining: Sequence[tuple[Sequence[int], Sequence[KeptRow | None]]] = (),
    ) -> tuple[ScoredRows, Rows]:
        """Run one token for each new row; returns P after each and the rows.

        parents, tokens: the row that each new row continues, and its token.
        joining: further new rows, all of whose tokens are given, the last one to be run, and what is kept
            of the others' keys and values; what is not, is run again.
        """
        model = self._model
        prefixes = [
            (*self.prefixes[parent], token) for parent, token in zip(parents, tokens, strict=True)
        ] + [tuple(path) for path, _ in joining]
        if not prefixes:
            raise GenerationError("a pass without rows")
        if not model.keeps_cache:
            whole = torch.tensor([[*model.prompt, *prefix] for prefix in prefixes], device=model.model.device)
            logits, _ = model.run(whole, [])
            return model.target.scored(logits), Rows(model, prefixes, [])
        layers = self._selected(parents)
        for path, kept in joining:
            joined = self._rebuilt(path[:-1], kept)
            layers = (
                [
                    (torch.cat([keys, more_keys]), torch.cat([values, more_values]))
                    for (keys, values), (more_keys, more_values) in zip(layers, joined, strict=True)
                ]
                if layers
                else joined
            )
        last = torch.tensor([[prefix[-1]] for prefix in prefixes], device=model.model.device)
        logits, after = model.run(last, layers)
        return model.target.scored(logits), Rows(model, prefixes, after)

    def keep(self) -> list[KeptRow | None]:
        """Set aside the keys and values of each row's last token, for later rows to join with."""
        if not self._layers or len({layer.shape for pair in self._layers for layer in pair}) != 1:
            return [None] * len(self.prefixes)
        # clone: a view of the last position would hold on to all of them
        last = torch.stack([torch.stack((k[:, :, -1], v[:, :, -1])) for k, v in self._layers])
        block = self._model.cache.kept.add(last)
        return [KeptRow(block, row) for row in range(len(self.prefixes))]

    def _selected(self, parents: Sequence[int]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        if not parents:
            return []
        if list(parents) == list(range(len(self.prefixes))):
            return self._layers
        index = torch.tensor(list(parents), device=self._model.model.device)
        return [(keys.index_select(0, index), values.index_select(0, index)) for keys, values in self._layers]

    def _rebuilt(
        self, path: Sequence[int], kept: Sequence[KeptRow | None]
    ) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Keys and values of the prompt and ``path``, from what is kept; the rest is run again."""
        model = self._model
        layers = model.cache.layers
        parts: list[torch.Tensor] = []
        for row in kept[: len(path)]:
            data = None if row is None else row.read()
            if data is None:
                break
            parts.append(data)
        if parts:
            both = torch.stack(parts, dim=3)  # (layers, 2, heads, length, size)
            layers = [
                (torch.cat([keys, more[0][None]], dim=2), torch.cat([values, more[1][None]], dim=2))
                for (keys, values), more in zip(layers, both, strict=True)
            ]
        missing = list(path[len(parts) :])
        if missing:
            ids = torch.tensor([missing], device=model.model.device)
            _, layers = model.run(ids, layers)
            model.forwards.physical += len(missing) - 1
        return layers


def _only_attends(config: Any) -> bool:
    """Whether all layers keep keys and values by position, so that rows can be cut, joined and shared."""
    text = config.get_text_config(decoder=True) if hasattr(config, "get_text_config") else config
    kinds = getattr(text, "layer_types", None)
    return kinds is None or set(kinds) <= _ATTENTION


def prompt_ids(tokenizer: Any, prompt: str | Sequence[int]) -> list[int]:
    """The ids of a prompt, given as text or as ids. Raises `OptionError` where there are none."""
    if isinstance(prompt, str):
        ids = list(tokenizer(prompt)["input_ids"])
        if not ids and tokenizer.bos_token_id is not None:
            ids = [int(tokenizer.bos_token_id)]
    elif isinstance(prompt, Sequence) and all(isinstance(token, int) for token in prompt):
        ids = list(prompt)
    else:
        raise OptionError("prompt", prompt, "a text, or the ids of one")
    if not ids:
        raise OptionError("prompt", prompt, "at least one token: this tokenizer begins no text by itself")
    return ids
