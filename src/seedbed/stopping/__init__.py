"""Which trials go on: policies for a live study, replay and plan over recorded curves.

Pure: curves in, verdicts or numbers out. Imports core and stats; of others numpy and scipy.
"""
