"""How each model wants to be asked: a `Prompt` becomes token ids, an answer a training target.

Knows three forms: the tokenizer's chat template, the starter family's delimiters, and plain lines for a
base model that knows neither. Refuses to know what the passages are or where they came from: all of a
prompt's text is data, and special tokens written in it are spelled out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from proxycouncil.errors import FamilyError
from proxycouncil.specialists.encoding import TextEncoder, clean
from proxycouncil.specialists.request import Prompt, Snippet

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FormatName: TypeAlias = Literal["auto", "chat", "delimiters", "plain"]

PASSAGE, QUESTION, ANSWER = "<|passage|>", "<|question|>", "<|answer|>"
_CONTENT, _REPLY = "\ue000", "\ue001"
"""Private-use characters that stand in a rendered chat template for what is put there."""


class PromptFormat(Protocol):
    """A model's way of being asked."""

    encoder: TextEncoder
    end: int
    """The token that ends an answer."""
    lead: str
    """What stands between the encoded prompt and an answer's first character."""
    stops: tuple[str, ...]
    """Texts that show that the model has gone on to something else."""

    def encode(self, prompt: Prompt | str) -> list[int]:
        """Token ids of the whole prompt; a bare string is ordinary text in no form at all."""
        ...

    def target_ids(self, answer: str) -> list[int]:
        """Token ids of an answer as it follows the encoded prompt, and of the token that ends it."""
        ...


def choose_format(tokenizer: PreTrainedTokenizerBase, name: FormatName = "auto") -> PromptFormat:
    """The named format, or the first that the tokenizer has: chat template, delimiters, plain.

    Raises:
        FamilyError: the tokenizer lacks what the named format needs.
    """
    if name == "chat" or (name == "auto" and tokenizer.chat_template):
        return ChatFormat(tokenizer)
    if name == "delimiters" or (name == "auto" and _has_delimiters(tokenizer)):
        return DelimiterFormat(tokenizer)
    return PlainFormat(tokenizer)


def _has_delimiters(tokenizer: PreTrainedTokenizerBase) -> bool:
    return {PASSAGE, QUESTION, ANSWER} <= tokenizer.get_vocab().keys()


class DelimiterFormat:
    """The starter's form: the question before the slate and again after it, a space after each delimiter.

    `<|question|> q<|passage|> Title: text<|passage|> Title: text<|question|> q<|answer|>`, answered by
    ` answer<|end|>`. Examples stand before it as `<|question|> q<|answer|> answer<|end|>`.
    """

    stops: tuple[str, ...] = ()
    lead = " "

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        if not _has_delimiters(tokenizer):
            raise FamilyError(
                f"the tokenizer {tokenizer.name_or_path!r} has no {PASSAGE}, {QUESTION} and {ANSWER}",
                hint='use the prompt format "auto", "chat" or "plain"',
            )
        self.encoder = TextEncoder(tokenizer)
        self.end = _end_token(tokenizer)
        vocabulary = tokenizer.get_vocab()
        self._passage, self._question, self._answer = (vocabulary[t] for t in (PASSAGE, QUESTION, ANSWER))

    def encode(self, prompt: Prompt | str) -> list[int]:
        """Token ids of the whole prompt."""
        if isinstance(prompt, str):
            return _plain_ids(self.encoder, prompt)
        question = self._piece(self._question, clean(prompt.question))
        ids = [*self.encoder.prefix]
        for shot in prompt.shots:
            ids += [*self._piece(self._question, clean(shot.question)), self._answer]
            ids += self.target_ids(shot.answer)
        ids += question
        for snippet in prompt.snippets:
            ids += self._piece(self._passage, _line(snippet))
        return [*ids, *question, self._answer]

    def target_ids(self, answer: str) -> list[int]:
        """Token ids of ` answer<|end|>`."""
        return [*self.encoder.data(self.lead + clean(answer)), self.end]

    def _piece(self, delimiter: int, text: str) -> list[int]:
        return [delimiter, *self.encoder.data(" " + text)]


class ChatFormat:
    """One user message in the tokenizer's own chat template.

    The instruction opens that message, since several templates refuse a system message.
    """

    stops: tuple[str, ...] = ()
    lead = ""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        if not tokenizer.chat_template:
            raise FamilyError(
                f"the tokenizer {tokenizer.name_or_path!r} has no chat template",
                hint='use the prompt format "auto" or "plain"',
            )
        self.encoder = TextEncoder(tokenizer)
        question = {"role": "user", "content": _CONTENT}
        rendered = _render(tokenizer, [question], add_generation_prompt=True)
        self._before, found, self._after = rendered.partition(_CONTENT)
        if not found:
            raise FamilyError(
                f"the chat template of {tokenizer.name_or_path!r} leaves the user's message out",
                hint='repair its chat_template, or use the prompt format "plain"',
            )
        answered = _render(tokenizer, [question, {"role": "assistant", "content": _REPLY}])
        self.end = self._turn_end(answered.partition(_REPLY)[2], tokenizer)

    def encode(self, prompt: Prompt | str) -> list[int]:
        """Token ids of the whole prompt."""
        if isinstance(prompt, str):
            return _plain_ids(self.encoder, prompt)
        content = _message(prompt)
        if self.encoder.markup(content) == self.encoder.data(content):
            # Nothing special in it: encode in one piece, as in training, so that merges cross the seams.
            return self.encoder.markup(self._before + content + self._after)
        return [
            *self.encoder.markup(self._before),
            *self.encoder.data(content),
            *self.encoder.markup(self._after),
        ]

    def target_ids(self, answer: str) -> list[int]:
        """Token ids of the answer and of the token that ends the assistant's turn."""
        return [*self.encoder.data(self.lead + answer.strip()), self.end]

    def _turn_end(self, tail: str, tokenizer: PreTrainedTokenizerBase) -> int:
        special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
        closing = [token for token in self.encoder.markup(tail) if token in special]
        return closing[0] if closing else _end_token(tokenizer)


class PlainFormat:
    """Readable lines for a base model: passages, question, `Answer:`."""

    stops: tuple[str, ...] = ("\nQuestion:", "\nPassages:")
    lead = " "

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.encoder = TextEncoder(tokenizer)
        self.end = _end_token(tokenizer)

    def encode(self, prompt: Prompt | str) -> list[int]:
        """Token ids of the whole prompt."""
        text = prompt if isinstance(prompt, str) else f"{_message(prompt)}\nAnswer:"
        return _plain_ids(self.encoder, text)

    def target_ids(self, answer: str) -> list[int]:
        """Token ids of ` answer` and of the end token."""
        return [*self.encoder.data(self.lead + clean(answer)), self.end]


def _message(prompt: Prompt) -> str:
    blocks = [clean(prompt.instruction)] if prompt.instruction.strip() else []
    blocks += [f"Question: {clean(shot.question)}\nAnswer: {clean(shot.answer)}" for shot in prompt.shots]
    if prompt.snippets:
        numbered = (f"[{n}] {_line(snippet)}" for n, snippet in enumerate(prompt.snippets, start=1))
        blocks.append("\n".join(("Passages:", *numbered)))
    blocks.append(f"Question: {clean(prompt.question)}")
    return "\n\n".join(blocks)


def _line(snippet: Snippet) -> str:
    title, text = clean(snippet.title), clean(snippet.text)
    return f"{title}: {text}" if title else text


def _plain_ids(encoder: TextEncoder, text: str) -> list[int]:
    return [*encoder.prefix, *encoder.data(text)]


def _render(
    tokenizer: PreTrainedTokenizerBase, messages: list[dict[str, str]], *, add_generation_prompt: bool = False
) -> str:
    # enable_thinking: a template that knows it (Qwen3) leaves out the thinking; the others ignore it.
    return str(
        tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=add_generation_prompt, enable_thinking=False
        )
    )


def _end_token(tokenizer: PreTrainedTokenizerBase) -> int:
    end = tokenizer.eos_token_id
    if end is None:
        raise FamilyError(
            f"the tokenizer {tokenizer.name_or_path!r} has no end-of-text token",
            hint="set eos_token in its tokenizer_config.json",
        )
    return int(end)
