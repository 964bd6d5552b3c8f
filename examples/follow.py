#!/usr/bin/env python3
"""Follows streams of weir with Python's standard library alone: an EventSource, reconnects and all.

    examples/follow.py http://127.0.0.1:8080/channels/news

prints each event as a line of JSON. In a program of your own: for event in events(url): ...
"""

import http.client
import json
import sys
import time
import urllib.error
import urllib.request


def events(url, headers=None):
    """Yields {"type", "data", "id"} for each event, for as long as the gateway wants us back (it says 204 when not).

    Raises urllib.error.HTTPError where the answer is an error that trying again would not mend.
    """
    last_id, retry_seconds = "", 3.0  # An id counts once its event is complete.
    while True:
        request = urllib.request.Request(url, headers={"Accept": "text/event-stream", **(headers or {})})
        if last_id:
            request.add_header("Last-Event-ID", last_id)
        try:
            # A comment comes every 15 s: after a minute without a byte the connection is dead.
            with urllib.request.urlopen(request, timeout=60) as response:
                if response.status == 204:
                    return
                kind, data, new_id = "", [], last_id
                for line in response:  # weir's lines end in LF alone.
                    field, _, value = line.decode("utf-8", "replace").rstrip("\n").partition(":")
                    value = value.removeprefix(" ")
                    if field == "data":
                        data.append(value)
                    elif field == "event":
                        kind = value
                    elif field == "id":
                        new_id = value
                    elif field == "retry":
                        retry_seconds = int(value) / 1000
                    elif line == b"\n":  # The end of an event. One that was cut before it is thrown away.
                        last_id = new_id
                        if data:
                            yield {"type": kind or "message", "data": "\n".join(data), "id": last_id}
                        kind, data = "", []
        except urllib.error.HTTPError as error:
            if error.code not in (429, 500, 502, 503, 504):
                raise
        except (OSError, http.client.HTTPException):
            pass  # The network: it is tried again.
        time.sleep(retry_seconds)


if __name__ == "__main__":
    for event in events(sys.argv[1]):
        print(json.dumps(event), flush=True)
