"""From which initial weights, learning rates and thresholds does backpropagation converge, and how fast?"""

__version__ = "0.1.0"
