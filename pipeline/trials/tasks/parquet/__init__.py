"""Tables in Parquet files: what reading them takes, bounded before, and their cells."""
