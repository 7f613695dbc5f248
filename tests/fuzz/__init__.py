"""Coverage-guided fuzzing of what strangers' bytes reach: see `tests.fuzz.run`."""
