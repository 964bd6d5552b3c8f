"""How long the tests wait at most, and how large they are."""

import os

# Every wait ends here at the latest. Not a promise of the gateway: an upper bound for a busy machine.
DEADLINE_SECONDS = float(os.environ.get("WEIR_TEST_DEADLINE", "40"))
# 1 is the size named in the tests; sanitizer builds are several times slower and may ask for less.
SCALE = float(os.environ.get("WEIR_TEST_SCALE", "1"))


def scaled(size, least=1):
    """`size`, made smaller by WEIR_TEST_SCALE, but not smaller than `least`."""
    return max(least, int(size * SCALE))
