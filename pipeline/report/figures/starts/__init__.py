"""Figures of which starts converge."""
