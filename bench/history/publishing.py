"""Redis' processor time for a durable message beside a plain PUBLISH, with two gateways subscribed to both."""
import contextlib
import subprocess

import parts

DEPTHS = {1: "unpipelined", 16: "pipelined, 16 at a time"}
RATIO_MAX = {1: 2.5, 16: 4.5}
# Kinds change so often within a round: what else happens on the machine happens to both.
BLOCK = 2_000


def cpu_seconds(client):
    values = dict(line.split(":") for line in client.command("INFO", "cpu").decode().splitlines() if ":" in line)
    return float(values["used_cpu_user"]) + float(values["used_cpu_sys"])


def channel_of(kind):
    return f"{kind}-channel"


def publish(client, kind, depth, count):
    """Redis' processor time for `count` messages."""
    commands = [parts.publishing(kind, channel_of(kind), number) for number in range(count)]
    before = cpu_seconds(client)
    parts.send_all(client, commands, depth)
    return cpu_seconds(client) - before


def subscribe(stack, redis):
    """Two gateways, with a client each that reads both channels."""
    for _ in range(2):
        gateway = parts.start(stack, redis, "--durable", channel_of("durable"))
        for kind in parts.KINDS:
            client = subprocess.Popen(["curl", "-sN", "-o", "/dev/null",
                                       f"http://127.0.0.1:{gateway.port}/channels/{channel_of(kind)}"])
            stack.callback(client.wait)
            stack.callback(client.kill)

    def is_subscribed():
        live = redis.client.command("PUBSUB", "NUMSUB", channel_of("live"))
        durable = redis.client.command("PUBSUB", "SHARDNUMSUB", f"weir:{{{channel_of('durable')}}}")
        return live[1] == 2 and durable[1] == 2

    gateway.wait_until(is_subscribed, "two subscribers of each channel")


def measure(options):
    with contextlib.ExitStack() as stack:
        redis = parts.start_redis(stack)
        subscribe(stack, redis)
        # The stream is full then: each message beyond costs its share of the trimming, as it does from then on.
        for kind in parts.KINDS:
            publish(redis.client, kind, 16, BLOCK)
        rounds = {depth: [] for depth in DEPTHS}
        for _ in range(options.rounds):
            for depth in DEPTHS:
                used = dict.fromkeys(parts.KINDS, 0.0)
                blocks = -(-options.publishes // BLOCK)
                for block in range(blocks):
                    for kind in parts.in_turn(block):
                        used[kind] += publish(redis.client, kind, depth, BLOCK)
                rounds[depth].append({kind: {"us": used[kind] / (blocks * BLOCK) * 1e6} for kind in parts.KINDS})
        return rounds


def tell(results):
    print(f"| Redis' CPU per message of {parts.PAYLOAD_BYTES} B | FCALL weir_publish | PUBLISH | ratio |\n| --- |"
          + " ---: |" * 3)
    for depth, rounds in results.items():
        costs = (f"{parts.median([each[kind] for each in rounds], 'us'):.1f} µs" for kind in parts.KINDS)
        print(f"| {DEPTHS[depth]} | {' | '.join(costs)} | {parts.ratio(rounds, 'us'):.2f} |")


def complaints(results):
    for depth, rounds in results.items():
        if (measured := parts.ratio(rounds, "us")) > RATIO_MAX[depth]:
            yield f"publishing: {DEPTHS[depth]}: {measured:.2f} times a PUBLISH, not {RATIO_MAX[depth]}"
