"""Forms of texts in documents that have a name of their own, so that a mistake is told in words and not as a pattern."""

from __future__ import annotations

from collections.abc import Mapping

RELEASE_ID = r"^[a-z0-9-]{1,63}/[0-9A-Za-z.+-]{1,127}$"
TIME_OF_DAY = r"^([01]\d|2[0-3]):[0-5]\d$"
PERCENTAGE = r"^\d{1,3}%$"

WEB_ADDRESS = r"^https?://[^\s@]+$"
MOMENT = "is no moment: a date, a time and the offset from UTC are expected, as 2026-12-01T22:00:00+01:00"

_WORDS: Mapping[str, str] = {
    RELEASE_ID: "is no release: its name and version are expected, as nfvi-agent/2.0.0",
    TIME_OF_DAY: "is no time of day: hours and minutes are expected in quotes, as '01:30'",
    WEB_ADDRESS: "is no address: http:// or https:// and a host are expected, without a user, as https://vnfm.example/notify",
    PERCENTAGE: "is no percentage, as 10%",
}
"""What is said of a text that has not the form."""
_LABEL = "is not a DNS label: lower-case letters, digits and hyphens, 63 at most"


def words_of(pattern: str) -> str:
    """What is said of a text that does not match; nothing for a pattern without words of its own."""
    return _WORDS.get(pattern, _LABEL if "[a-z0-9]" in pattern else "")
