"""Who publishes while other things happen."""

import threading

from .account import numbered
from .history import fcall
from .redis import RedisError


class Publisher:
    """Publishes 1, 2, 3, … at a steady rate from a thread of its own, also to a Redis that goes and comes back."""

    def __init__(self, redis, channel, per_second=20, is_durable=False):
        self._redis = redis
        self._is_durable = is_durable
        self._channel = channel
        self._pause_seconds = 1 / per_second
        self._stops = threading.Event()
        # Held for each publish: Redis is never stopped within one, whose outcome would be unknown.
        self.between = threading.Lock()
        self.last = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        client = None
        while not self._stops.wait(self._pause_seconds):
            with self.between:
                try:
                    client = client or self._redis.connect()
                    if self._is_durable:
                        client.command(*fcall(self._channel, numbered(self.last + 1)))
                    else:
                        client.publish(self._channel, numbered(self.last + 1))
                    self.last += 1
                except (OSError, RedisError):
                    client = None
        if client:
            client.close()

    def stop(self):
        """The number of the last message."""
        self._stops.set()
        self._thread.join()
        return self.last
