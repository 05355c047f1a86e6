"""What a person sees of a sweep: words, tables, figures, and a report in one file."""
