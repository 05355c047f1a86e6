"""What is asked of one run, read from a configuration, checked, and made into a batch."""
