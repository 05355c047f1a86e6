"""Up to which size of network and task second derivatives are looked at: beyond, they take longer than they are worth."""

from pipeline.backprop.network import Network

MOST_TRAINED = 100  # parameters up to which whole matrices of them are looked at …
MOST_TERMS = 100_000  # … and patterns × parameters
MOST_UNITS = 500_000  # patterns × units, up to which ρ is computed


def is_small(network: Network, patterns: int) -> bool:
    """Whether whole matrices, parameters × parameters, are looked at."""
    return 0 < network.trained <= MOST_TRAINED and network.trained * patterns <= MOST_TERMS


def has_curvature(network: Network, patterns: int) -> bool:
    """Whether anything is computed of its second derivatives."""
    return is_small(network, patterns) or (network.trained > 0 and is_moderate(network, patterns))


def is_moderate(network: Network, patterns: int) -> bool:
    """Whether one product with the Hessian is computed."""
    return patterns * sum(network.units) <= MOST_UNITS
