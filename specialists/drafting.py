"""A cycle's reading: tokens drafted by the experts or looked up, and every lane's logits behind each of them.

The lanes of drafting experts step one token at a time; a LoRA expert's twin is in the same lane, so its
logits come with the draft. All other lanes read the last token and all drafts in one forward. Knows texts
and lanes; nothing of steering, or of which drafts are right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from proxycouncil.specialists.sampler import choose

if TYPE_CHECKING:
    from torch import Tensor

    from proxycouncil.specialists.lane import Lane
    from proxycouncil.specialists.mixing import Heard
    from proxycouncil.specialists.text import Text


class Drafting:
    """One cycle over some texts. `count` is 0 where nobody has anything to draft."""

    def __init__(self, texts: Sequence[Text], count: int) -> None:
        self._texts = texts
        found = [text.look_ahead(count) if count else [] for text in texts]
        self._given = [ahead if len(ahead) == count else [] for ahead in found]
        self._writers = {
            id(text.drafter.row): at
            for at, text in enumerate(texts)
            if count and text.drafter and not self._given[at]
        }
        self.guessed = [
            bool(ahead) or id(text.drafter and text.drafter.row) in self._writers
            for ahead, text in self._both()
        ]
        """Which texts' drafts are more than filling: somebody had something to say."""
        self._owners = {id(voice.row): at for at, text in enumerate(texts) for voice in text.voices}
        self.count = count if self._writers or any(self._given) else 0
        self.drafts: list[list[int]] = [[] for _ in texts]
        """Token ids by text; the last token repeated where nobody had anything to say."""

    def run(self, lanes: Sequence[Lane]) -> list[Heard]:
        """Draft, and let every lane read; logits `[rows, count + 1, vocab]` of each."""
        writing = [lane for lane in lanes if any(id(row) in self._writers for row in lane.rows)]
        heard = self._write(writing) if writing else []
        if not writing:
            self.drafts = [list(ahead or text.tokens[-1:] * self.count) for ahead, text in self._both()]
        reading = [lane for lane in lanes if lane not in writing]
        return heard + [(lane, lane.rows, lane.advance(self._ids(lane))) for lane in reading]

    def _write(self, lanes: Sequence[Lane]) -> list[Heard]:
        """Step the drafting lanes through all places, the last draft read as well."""
        import torch

        said: list[list[Tensor]] = [[] for _ in lanes]
        for place in range(self.count + 1):
            for logits, lane in zip(said, lanes, strict=True):
                logits.append(lane.advance(self._ids(lane)[:, -1:]))
            if place < self.count:
                self._guess(lanes, [logits[-1] for logits in said], place)
        return [(lane, lane.rows, torch.cat(logits, dim=1)) for lane, logits in zip(lanes, said, strict=True)]

    def _guess(self, lanes: Sequence[Lane], said: Sequence[Tensor], place: int) -> None:
        """Add a draft to every text: what its expert would write, by the draw that the sum will get."""
        import torch

        opinions = [
            (self._writers[id(row)], logits[at, -1])
            for lane, logits in zip(lanes, said, strict=True)
            for at, row in enumerate(lane.rows)
            if id(row) in self._writers
        ]
        choosing = [self._texts[at].choosing(self.drafts[at]) for at, _ in opinions]
        tokens, _ = choose(torch.stack([logits for _, logits in opinions]), choosing)
        guessed = dict(zip((at for at, _ in opinions), tokens.tolist(), strict=True))
        for at, (given, text) in enumerate(self._both()):
            self.drafts[at].append(guessed.get(at, given[place] if given else text.tokens[-1]))

    def _ids(self, lane: Lane) -> Tensor:
        """The last token and all drafts so far, `[rows, places]`."""
        import torch

        texts = [self._owners[id(row)] for row in lane.rows]
        ids = [[self._texts[at].tokens[-1], *self.drafts[at]] for at in texts]
        return torch.tensor(ids, device=lane.model.device)

    def _both(self) -> list[tuple[list[int], Text]]:
        return list(zip(self._given, self._texts, strict=True))
