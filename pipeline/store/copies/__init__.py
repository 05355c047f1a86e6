"""A finished sweep as data, whole: read from a store or from a zip file, written into another store or to a zip file."""
