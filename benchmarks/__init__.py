"""How fast is it, and against whom: each module answers one question, and `python -m benchmarks` asks them all."""
