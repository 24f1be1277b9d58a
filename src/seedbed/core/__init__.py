"""The words of seedbed: what a trial, a curve, a verdict, a learner and a policy are.

Imports nothing of ours, and of others only pydantic (for the study file).
"""
