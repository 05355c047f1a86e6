"""Why a run did not converge: from its final weights, by exact second derivatives, and from its kept curve."""
