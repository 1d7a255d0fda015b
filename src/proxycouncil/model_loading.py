"""One model is loaded at a time in a process, whichever room loads it.

While `from_pretrained` runs, transformers (5.23) replaces `PreTrainedModel.tie_weights` for the whole process
and puts it back afterwards. Two loads at once can put back each other's replacement: from then on no tied
head is tied, in either model. The engine's weights and the embedder are opened side by side, so both take
this lock.
"""

from __future__ import annotations

from threading import Lock

ONE_AT_A_TIME = Lock()
"""Hold it around every `from_pretrained` of a model."""
