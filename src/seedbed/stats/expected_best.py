"""How good is the best of n trials, expected over which trials one gets?"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from seedbed.stats._checks import Floats, floats, whole

Method = Literal["unbiased", "plug_in"]


def expected_best(scores: ArrayLike, ns: ArrayLike, method: Method = "unbiased") -> Floats:
    """Estimate the expected score of the best of n trials, for every n in ``ns``.

    With the scores sorted ascending, F_1 <= ... <= F_N, the estimate is sum_i w_i F_i:

    - ``"unbiased"``: w_i = C(i-1, n-1) / C(N, n), the mean over all subsets of n of the
      trials; n <= N. Unbiased where trials are independent (Tang et al. 2020).
    - ``"plug_in"``: w_i = (i/N)^n - ((i-1)/N)^n, the mean over n draws with replacement;
      any n >= 1. Biased low (Dodge et al. 2019).

    Args:
        scores: N finite scores, larger is better, in any order.
        ns: numbers of trials, a scalar or an array of any shape.
        method: which of the two.

    Returns:
        The estimates, in the shape of ``ns``.

    Raises:
        ValueError: for wrong arguments; for ``"unbiased"`` also where n > N.

    >>> expected_best([0.6, 0.8, 0.7], [1, 2, 3]).round(3).tolist()
    [0.7, 0.767, 0.8]
    """
    ordered_N = np.sort(floats("scores", scores))
    ns_array = np.asarray(ns)
    # One n at a time: N and the number of ns may both be 10,000.
    values = [
        float(best_weights(len(ordered_N), [n], method)[0] @ ordered_N)
        for n in ns_array.reshape(-1)
    ]
    return np.array(values, dtype=np.float64).reshape(ns_array.shape)


def best_weights(trials: int, ns: ArrayLike, method: Method = "unbiased") -> Floats:
    """Give the weight of each order statistic, ascending: an array [len(ns), trials].

    See ``expected_best``. Each row sums to one. No binomial coefficient is formed, so
    nothing overflows: accurate to about 1e-12 for 10,000 trials.
    """
    if method not in ("unbiased", "plug_in"):
        raise ValueError(f'method must be "unbiased" or "plug_in", not {method!r}')
    limit = trials if method == "unbiased" else None
    ns_K = whole("n", ns, low=1, high=limit)[:, None]
    i_N = np.arange(1, trials + 1)
    if method == "plug_in":
        # (i/N)^n (1 - (1 - 1/i)^n): no difference of nearly equal powers.
        with np.errstate(divide="ignore"):
            return np.exp(ns_K * np.log(i_N / trials)) * -np.expm1(ns_K * np.log1p(-1.0 / i_N))
    # From the largest down, w_i = w_{i+1} (i - n + 1) / i, starting at w_N = n / N.
    i_down = i_N[:0:-1] - 1
    ratios = np.maximum(i_down - ns_K + 1, 0) / i_down
    first = np.ones((len(ns_K), 1))
    falling = np.cumprod(np.concatenate([first, ratios], axis=1), axis=1)
    return np.asarray(ns_K / trials * falling[:, ::-1])
