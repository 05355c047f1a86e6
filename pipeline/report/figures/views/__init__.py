"""Figures of further views of a sweep."""
