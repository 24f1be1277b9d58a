"""What the numbers mean: every estimator is a function of arrays.

Arrays in, frozen results out; imports nothing of ours. Larger scores are better (a loss is
negated once, at the edge). Whatever resamples takes a keyword ``seed``; the same seed gives
the same result. Wrong arguments raise ``ValueError`` with a sentence for a person.

| module | question |
|---|---|
| ``expected_best`` | how good is the best of n trials? |
| ``best_intervals`` | how sure is that, against n and against compute? |
| ``variance`` | how much of the spread comes from init, order and the rest? |
| ``reml`` | the same where trials are missing |
| ``validation_noise`` | how much of it is only the validation split's luck? |
| ``seed_tests`` | do seeds matter at all? |
| ``early_late`` | do early scores predict late ones? |
| ``optimism`` | is the best really that good? |
| ``failed`` | which trials failed or collapsed? |
| ``power`` | how many trials does a difference need? |
| ``compare`` | is recipe A better than recipe B? |

Beneath them: ``_checks`` (arguments), ``layout`` (trials by their two seeds), ``dependence``
and ``resampling`` (what trials that share seeds can tell), ``scorers`` (any metric on weighted
examples).

Names of axes: N or T trials, I init seeds, O order seeds, E evaluations, M examples,
K values of n, B resamples.
"""
