"""What the text of a single cell means: missing, a number, a date."""

import math
import re
from datetime import UTC, date, datetime, timedelta

MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "<na>", "null", "?"})
"""Texts, in lower case, that stand for a missing value in any column."""
MISSING_NUMBER = frozenset({"none", "-", "--", "."})
"""Texts that stand for a missing value only where all others are numbers or dates."""
INFINITE = frozenset({"inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"})
NUMBER_MAX = 1e150
"""The standard deviation of greater values overflows in double precision."""
EPOCH = date(1970, 1, 1).toordinal()
DAY_S = 86_400

_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?", re.ASCII)
_GROUP_SPACE = re.compile(r"(?<=\d)[ \u00a0\u2009\u202f'](?=\d{3}(?!\d))", re.ASCII)
_UNITS = "€$£¥% \u00a0\u202f"
_SWAPPED = str.maketrans(",.", ".,")
_ISO = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)
_YEAR_FIRST = re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})", re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})( \d\d:\d\d(:\d\d)?)?", re.ASCII)


def is_missing(text: str) -> bool:
    """Whether a text stands for a missing value in any column.

    Example:
        >>> is_missing("N/A"), is_missing("none")
        (True, False)
    """
    return text.lower() in MISSING


def number(text: str, *, comma: bool = False) -> float | None:
    """The number that a text means; None if it means none.

    Thousands may be grouped. A currency sign or a percent sign is left out.

    Args:
        text: Without spaces around it.
        comma: Whether a comma separates decimals, and points group thousands.

    Example:
        >>> number("1,234.5"), number("1.234,5", comma=True), number("12 000 €"), number("1,5")
        (1234.5, 1234.5, 12000.0, None)
    """
    if comma:
        text = text.translate(_SWAPPED)
    if _PLAIN.fullmatch(text):
        return float(text)
    text = _GROUP_SPACE.sub("", text.strip(_UNITS))
    if _PLAIN.fullmatch(text):
        return float(text)
    return float(text.replace(",", "")) if _GROUPED.fullmatch(text) else None


def day(text: str, *, month_first: bool = False) -> float | None:
    """Days from 1970-01-01 to a date or time; None if the text is no date.

    Example:
        >>> day("1970-01-02 12:00"), day("03.01.1970"), day("1/13/1970", month_first=True)
        (1.5, 2.0, 12.0)
    """
    try:
        if _ISO.fullmatch(text):
            return _days(datetime.fromisoformat(text))
        if parts := _YEAR_FIRST.fullmatch(text):
            return float(date(*map(int, parts.groups())).toordinal() - EPOCH)
        if parts := _YEAR_LAST.fullmatch(text):
            first, second, year = int(parts[1]), int(parts[3]), int(parts[4])
            month, in_month = (first, second) if month_first else (second, first)
            whole = date(year, month, in_month).isoformat()
            return _days(datetime.fromisoformat(whole + (parts[5] or "")))
    except (ValueError, OverflowError):  # the 31st of February; midnight of year 1 elsewhere
        pass
    return None


def shown_number(value: float) -> str:
    """A number as text, so that 20 and 20.0 are one category.

    Example:
        >>> shown_number(20.0), shown_number(0.5)
        ('20', '0.5')
    """
    if math.isfinite(value) and value == int(value) and abs(value) < 2**53:
        return str(int(value))
    return repr(float(value))


def iso_day(value: float) -> str:
    """The date of a number of days since 1970-01-01, with the time if it is not midnight.

    Example:
        >>> iso_day(1.0), iso_day(1.5)
        ('1970-01-02', '1970-01-02T12:00:00')
    """
    moment = datetime(1970, 1, 1) + timedelta(days=value)
    return moment.isoformat().removesuffix("T00:00:00")


def _days(moment: datetime) -> float:
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    midnight = datetime(moment.year, moment.month, moment.day)
    return moment.toordinal() - EPOCH + (moment - midnight).total_seconds() / DAY_S
