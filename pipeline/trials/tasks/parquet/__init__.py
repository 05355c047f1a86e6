"""Tables in Parquet files: what reading them takes, bounded before, and their cells."""

MAGIC = b"PAR1"  # with which such a file begins and ends
