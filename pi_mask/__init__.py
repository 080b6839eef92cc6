"""Tell whoever comes to the door, within a second, whether their face mask is worn properly."""

__version__ = "0.1.0"
