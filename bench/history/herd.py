"""Clients that all come back at once: to a durable channel of a gateway that has nothing of it in its memory, beside a
live channel of a gateway that has all of it."""
import contextlib
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys

import parts
from support.sse import Loop

# A position is one of so many newest messages.
WITHIN = 1_000
READS_MAX = 100


class Case:
    """`messages` to each of `channels`, then `clients` that are spread over them evenly."""

    def __init__(self, clients, channels, messages):
        self.clients, self.channels, self.messages = clients, channels, messages
        self.names = [f"bench.{number}" for number in range(channels)]

    def __str__(self):
        return f"{self.clients:,} clients to {self.channels:,} channel{'s' * (self.channels > 1)}"


def reads_of(redis):
    """How many commands that read streams Redis has carried out."""
    reads = 0
    for line in redis.client.command("INFO", "commandstats").decode().splitlines():
        if line.startswith(("cmdstat_xrange:", "cmdstat_xrevrange:", "cmdstat_xread:")):
            reads += int(line.split("calls=")[1].split(",")[0])
    return reads


def publish_round(redis, kind, case, number):
    """Message `number` to each channel, to the first channel last: its id is then after those of the others."""
    return parts.send_all(redis.client, [parts.publishing(kind, name, number) for name in reversed(case.names)])[::-1]


def publish_history(redis, gateway, kind, case):
    """Of each channel the ids of its messages. Those of live channels are numbers of the gateway, in one order for all
    channels: an id of the first channel is a position in each."""
    if kind == "durable":
        return list(zip(*(publish_round(redis, kind, case, number) for number in range(case.messages))))
    gateway.wait_until(lambda: redis.client.command("PUBSUB", "NUMPAT"), "the pattern")
    loop = Loop()
    try:
        recorder = loop.open(gateway.port, f"/channels/{case.names[0]}")
        recorder.wait_for_head()
        for number in range(case.messages):
            publish_round(redis, kind, case, number)
            loop.drain()
        loop.until(lambda: len(recorder.events) == case.messages, "the messages")
        return [[event.id for event in recorder.events]] * case.channels
    finally:
        loop.close()


def plan(case, ids, seed):
    """What each client is: its path, the last id that it has, and how many messages followed that."""
    chosen = random.Random(seed)
    clients = []
    for number in range(case.clients):
        channel = number % case.channels
        last = chosen.randrange(max(0, case.messages - WITHIN), case.messages - 1)
        last_id = ids[channel][last]
        clients.append([f"/channels/{case.names[channel]}", last_id if isinstance(last_id, str) else last_id.decode(),
                        case.messages - 1 - last])
    return clients


def ask(clients, line=""):
    """Writes `line` to each process and reads a line from each."""
    for process in clients:
        if line:
            process.stdin.write(line)
            process.stdin.flush()
    return [process.stdout.readline() for process in clients]


def answers(lines):
    reports = [json.loads(line or '{"error": "clients.py ended"}') for line in lines]
    for report in reports:
        if "error" in report:
            raise RuntimeError(report["error"])
    return reports


def start_clients(stack, gateway, clients):
    program = pathlib.Path(__file__).with_name("clients.py")
    processes = []
    for first in range(os.cpu_count()):
        process = subprocess.Popen([sys.executable, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        stack.callback(process.wait)
        stack.callback(process.kill)
        process.stdin.write(json.dumps({"port": gateway.port, "clients": clients[first::os.cpu_count()]}) + "\n")
        process.stdin.flush()
        processes.append(process)
    ask(processes)
    return processes


def come_back(kind, case, seed):
    with contextlib.ExitStack() as stack:
        redis = parts.start_redis(stack)
        gateway = parts.start(stack, redis, "--durable" if kind == "durable" else "--record", "bench.*",
                              "--history-messages", case.messages)
        ids = publish_history(redis, gateway, kind, case)
        clients = start_clients(stack, gateway, plan(case, ids, seed))
        before, reads_before = gateway.metrics(), reads_of(redis)
        came = answers(ask(clients, "go\n"))
        after, reads_after = gateway.metrics(), reads_of(redis)
        publish_round(redis, kind, case, case.messages)
        joined = sum(report["joined"] for report in answers(ask(clients)))
        began = min(report["began"] for report in came)
        live = [at - began for report in came for at in report["live"]]

        def more(name):
            return after[name] - before[name]

        return {"last_seconds": max(live), "median_seconds": statistics.median(live), "clients": len(live),
                "wrong": sum(report["wrong"] for report in came), "joined": joined,
                "bytes": sum(report["bytes"] for report in came), "cpu_seconds": more("process_cpu_seconds_total"),
                "reads": more("weir_redis_history_reads_total"), "pages": more("weir_history_pages_read_total"),
                "redis_reads": reads_after - reads_before}


def measure(options):
    if parts.allow_descriptors() < options.clients + 200:
        sys.exit(f"history: {options.clients} clients are more than the limit on descriptors (ulimit -Hn)")
    cases = [Case(options.clients, 1, WITHIN + 1),
             Case(options.channels, options.channels, options.messages_per_channel)]
    results = {str(case): [] for case in cases}
    for number in range(options.rounds):
        for case in cases:
            results[str(case)].append({kind: come_back(kind, case, number) for kind in parts.in_turn(number)})
    return results


def spread(runs, key):
    values = sorted(round(run[key]) for run in runs)
    return f"{values[0]:,}" if values[0] == values[-1] else f"{values[0]:,} to {values[-1]:,}"


def tell(results):
    print("| | durable: last / median live | live: last / median live | ratio of the last | ratio of gateway CPU | "
          "reads | pages | wrong |\n| --- |" + " ---: |" * 7)
    for case, rounds in results.items():
        runs = {kind: [each[kind] for each in rounds] for kind in parts.KINDS}
        times = (f"{parts.median(runs[kind], 'last_seconds'):.2f} / {parts.median(runs[kind], 'median_seconds'):.2f} s"
                 for kind in parts.KINDS)
        print(f"| {case} | {' | '.join(times)} | {parts.ratio(rounds, 'last_seconds'):.2f} | "
              f"{parts.ratio(rounds, 'cpu_seconds'):.2f} | {spread(runs['durable'], 'redis_reads')} | "
              f"{spread(runs['durable'], 'pages')} | "
              f"{sum(run['wrong'] + run['clients'] - run['joined'] for each in rounds for run in each.values())} |")


def complaints(results):
    for case, rounds in results.items():
        if any(run["wrong"] or run["joined"] != run["clients"] for each in rounds for run in each.values()):
            yield f"herd: {case}: some did not get what they had missed, or not what came after"
    for each in next(iter(results.values())):
        if each["durable"]["redis_reads"] > READS_MAX:
            yield f"herd: {each['durable']['redis_reads']} reads of one channel, not {READS_MAX}"
