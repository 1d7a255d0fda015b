"""`council serve`: the council behind an OpenAI-compatible endpoint. Needs the extra `serve`."""
