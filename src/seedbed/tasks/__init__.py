"""Rows of text become encoded examples, labels and metrics.

May import ``core``; numpy at import time, tokenizers and the hub's ``datasets`` only where
they are used. Never torch.
"""
