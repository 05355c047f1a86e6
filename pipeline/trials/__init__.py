"""A trial: read from a configuration, checked, and made into a batch."""
