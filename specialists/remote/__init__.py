"""A base that is not ours: steered through a completions server that tells only its likeliest tokens."""
