"""The codes with which commands end."""

from __future__ import annotations

FINDINGS, CALLED_WRONGLY, CHANGES, OUR_BUG = 1, 2, 3, 70
