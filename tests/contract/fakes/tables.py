# SPDX-License-Identifier: Apache-2.0
"""What the fakes of the bulk APIs share: tables that are cheap to take back, token buckets, refusals."""

# seconds that a request may come early: a client that paces itself does not know how long the last one was under way
EARLY = 0.05


class Table(dict):
    """A dict whose values are replaced and never changed, so that a copy may share them: taking back a fault that must not
    apply costs nothing to speak of in a zone of ten thousand records."""

    def __deepcopy__(self, _memo):
        return Table(self)


class Bucket:
    """A token bucket: holds `size`, refills `rate` a second. take() says how long to wait, 0 where the tokens were there."""

    def __init__(self, size, rate):
        self.size, self.rate, self.level, self.since = size, rate, size, None

    def take(self, count, now):
        if self.since is not None:
            self.level = min(self.size, self.level + max(0, now - self.since) * self.rate)
        self.since = now
        if count * 0.98 > self.level + EARLY * self.rate:  # two in a hundred: a large request is longer under way
            return (count - self.level) / self.rate
        self.level -= count
        return 0


class Refused(Exception):
    """Ends the handling of a request with `response`."""

    def __init__(self, response):
        super().__init__(repr(response))
        self.response = response


def is_integer(value, least, most):
    """Whether it is a JSON number without a fraction within the bounds; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
