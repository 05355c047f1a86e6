"""What training leaves: a row per run, on disk until the store has it."""
