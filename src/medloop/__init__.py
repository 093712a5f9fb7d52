"""medloop closes the loop between medical images, algorithms and the clinic."""

__version__ = "0.1.0"
