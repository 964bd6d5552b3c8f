"""Deliveries a second of a durable channel beside those of a live one: weir-load, the same gateway, as fast as all
clients receive."""
import contextlib
import json
import os
import subprocess

import parts

CLIENTS = 1_000
# Messages on their way, published and not received by all: more than weir-load's default, so that the time in Redis does not
# leave the gateway without any, and far fewer than --queue-messages.
WINDOW = 512
RATIO_MIN = 0.9


def load(redis, gateway, kind, seconds):
    command = [parts.BIN / "weir-load", "--subscribe", f"http://127.0.0.1:{gateway.port}/channels/{{channel}}",
               "--publish", redis.url, "--channel", f"{kind}-channel", f"--connections={CLIENTS}",
               f"--bytes={parts.PAYLOAD_BYTES}", f"--receivers={os.cpu_count()}", f"--window={WINDOW}", f"--seconds={seconds}",
               f"--server-pid={gateway.pid}",
               *(["--publish-durable"] if kind == "durable" else [])]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120 + seconds, check=False)
    report = json.loads(ran.stdout or "{}")
    if ran.returncode != 0 or report["lost"] or report["wrong"]:
        raise RuntimeError(f"weir-load: {kind}: {report or ran.stderr[-500:]}")
    return report


def measure(options):
    with contextlib.ExitStack() as stack:
        redis = parts.start_redis(stack)
        gateway = parts.start(stack, redis, "--durable", "durable-channel")
        return [{kind: load(redis, gateway, kind, options.seconds) for kind in parts.in_turn(number)}
                for number in range(options.rounds)]


def tell(results):
    print(f"| {CLIENTS:,} clients, {parts.PAYLOAD_BYTES} B | durable | live | ratio |\n| --- |" + " ---: |" * 3)
    for title, key, form, factor in (("deliveries/s", "deliveries_per_second", "{:,.0f} k", 1e-3),
                                     ("gateway CPU per delivery", "server_cpu_us_per_delivery", "{:.2f} µs", 1)):
        values = (form.format(parts.median([each[kind] for each in results], key) * factor) for kind in parts.KINDS)
        print(f"| {title} | {' | '.join(values)} | {parts.ratio(results, key):.2f} |")


def complaints(results):
    if (measured := parts.ratio(results, "deliveries_per_second")) < RATIO_MIN:
        yield f"deliveries: {measured:.2f} of a live channel's, not {RATIO_MIN}"
