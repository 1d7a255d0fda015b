"""Many questions at once: a table of questions becomes a table of answers, however often begun."""
