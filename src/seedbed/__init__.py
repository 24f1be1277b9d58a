"""Start many fine-tuning seeds, stop the weak early, continue the best exactly."""

__version__ = "0.1.0"
