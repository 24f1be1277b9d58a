"""One stream of random numbers for each role, derived by hashing, never shared.

A stream is named by (seed, role, index...). Whoever needs random numbers derives the
64-bit key of its stream here and seeds a generator of its own with it; the global
generators of ``random``, numpy and torch are never touched.
"""

from __future__ import annotations

import hashlib

INIT = "init"
ORDER = "order"
DROPOUT = "dropout"


def derive(seed: int, role: str, *index: int | str) -> int:
    """Derive the key of a stream: an integer in [0, 2**64), the same on every platform.

    ``seed`` is any integer, ``role`` names what the numbers are for (``"init"``,
    ``"order"``, ``"dropout"``), ``index`` says which of that role's streams is meant
    (an epoch, a step, the name of a layer). Different arguments give independent keys
    (BLAKE2b, 64 bits of it).
    """
    name = "\x1f".join([role, str(int(seed)), *(f"{type(i).__name__}:{i}" for i in index)])
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
