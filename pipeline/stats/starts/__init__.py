"""Which starts converge: properties of initial weights, what they go with, and where each start fails."""
