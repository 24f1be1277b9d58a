"""Many trials over workers, under a live policy. Learner and policy come in as protocols.

Imports core and store; nothing outside the standard library.
"""
