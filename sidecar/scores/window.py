"""Which scores stand at some places of an order, without putting all of them in that order.

What lives here: choosing by keys. What must not: what the keys are (page.py, sampling.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from survey.tables.columns import Column

_WORTH_IT = 20_000


def window(keys: Sequence[Column], first: int, last: int) -> Column:
    """The places in `keys` of what comes from `first` to `last` (without it), in its order.

    The order is that of the first key, upwards; where it is equal, that of the second, and so on. The first key has no
    NaN.
    """
    count = len(keys[0])
    first, last = min(first, count), min(last, count)
    if first == last:
        return np.empty(0, np.int64)
    if count <= _WORTH_IT:
        return np.lexsort(tuple(reversed(keys)))[first:last]
    lowest, highest = np.partition(keys[0], [first, last - 1])[[first, last - 1]]
    before = int(np.count_nonzero(keys[0] < lowest))
    candidates = np.flatnonzero((keys[0] >= lowest) & (keys[0] <= highest))
    order = np.lexsort(tuple(key[candidates] for key in reversed(keys)))
    return candidates[order[first - before : last - before]]
