"""
What a test may set about the whole service: limits, lags, life times, and odd habits of lists. Faults of single
requests are rules in faults.py.
"""

from dataclasses import asdict, dataclass, fields, replace

DAY = 86_400


@dataclass
class Settings:
    units_per_minute_user: int | None = None     # as of 2026 325,000; None: not limited
    units_per_minute_project: int | None = None  # 1,000,000
    writes_per_second: float | None = None       # sustained, per user; about 3 in reality
    writes_burst: int = 10
    retry_after: int | None = None               # seconds, told with quota refusals
    throttle_status: int = 403                   # or 429
    throttle_reason: str = 'userRateLimitExceeded'
    bytes_per_day: int | None = 750 * 10 ** 9    # uploaded and copied in 24 hours, per user
    bytes_per_day_message: str = 'User rate limit exceeded.'  # or 'User Rate Limit Exceeded', as was also seen
    drive_items: int = 500_000                   # of a shared drive, trash included
    folder_items: int = 500_000                  # of a folder, My Drive's root excepted
    depth: int = 100
    name_lag: float = 0                          # seconds until `name =` finds a new name
    list_lag: float = 0                          # seconds until lists show a new, moved or changed file
    grouped_parents: str = 'whole'               # or 'part', 'nothing': lists of several parents in one query
    page_cap: int = 1000                         # most entries in a page, whatever is asked for
    incomplete_search: bool = False              # lists say that they are incomplete
    token_life: int = 3599
    session_life: int = 7 * DAY
    page_token_life: int = 4 * 3600
    session_gap_status: int = 503                # a chunk beyond what is kept; 400 was seen too
    bandwidth: int | None = None                 # bytes per second of all media together
    latency: float = 0                           # seconds before each answer
    jitter: float = 0                            # up to as many more

    def changed(self, values):
        """A copy with VALUES (a dict); ValueError names what does not exist."""
        unknown = set(values) - {field.name for field in fields(self)}
        if unknown:
            raise ValueError(f'no such setting: {", ".join(sorted(unknown))}')
        return replace(self, **values)

    def as_dict(self):
        return asdict(self)
