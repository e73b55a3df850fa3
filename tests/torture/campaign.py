"""What a campaign counts: the cases that it tried, how each ended, and those that broke a promise."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """The counts of one campaign.

    outcomes: how many cases ended in which of the allowed ways. figures: what was measured on the way, by name.
    """

    name: str
    promise: str
    tried: int = 0
    failures: list[str] = field(default_factory=list)
    outcomes: Counter = field(default_factory=Counter)
    figures: dict[str, float] = field(default_factory=dict)
    not_run: str = ""
    seconds: float = 0.0

    def count(self, case: str, outcome: str, *, fails: bool = False) -> None:
        """Count one case; what broke the promise is kept with its name."""
        self.tried += 1
        if fails:
            self.failures.append(f"{case}: {outcome}")
        else:
            self.outcomes[outcome] += 1

    @property
    def survived(self) -> int:
        return self.tried - len(self.failures)

    def as_json(self) -> dict:
        return {
            "name": self.name,
            "promise": self.promise,
            "tried": self.tried,
            "survived": self.survived,
            "failed": len(self.failures),
            "outcomes": dict(sorted(self.outcomes.items())),
            "failures": self.failures,
            "figures": self.figures,
            "not_run": self.not_run,
            "seconds": round(self.seconds, 1),
        }


def is_one_line(message: str) -> bool:
    """Whether a message is one that a person can read: one line, not endless, and no exception's name alone."""
    return bool(message.strip()) and "\n" not in message and len(message) < 1000 and "Traceback" not in message
