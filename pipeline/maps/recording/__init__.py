"""A map that is made: requested, trained in stripes that are kept, recorded."""
