"""What is stored with the parent run of a sweep: its results, and the tables, figures and report that are made of them."""
