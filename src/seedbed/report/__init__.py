"""From curves to numbers a person can act on: analysis, replay, plan, comparison.

Imports core, store, stats and stopping.
"""
