"""How an answer is run, compared, explained and counted."""
