"""What the three measurements share: programs, messages, and how rounds are interleaved."""
import os
import pathlib
import resource
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from servers import BIN, ROOT  # noqa: E402

os.environ["WEIR_BIN"] = str(BIN)
sys.path.insert(0, str(ROOT / "tests/integration"))

from support.gateway import Gateway  # noqa: E402
from support.redis import RedisError, RedisServer  # noqa: E402

PAYLOAD_BYTES = 200
KINDS = ("durable", "live")
# Once in each message, and nowhere else in a stream: clients.py counts it.
MARK = "~"


def allow_descriptors():
    """As many as the system lets this process and those that it starts have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def payload(number):
    return ('{"msg":"%s%08d ' % (MARK, number)).ljust(PAYLOAD_BYTES - 2, "x") + '"}'


def publishing(kind, channel, number):
    """The command that publishes message `number`."""
    if kind == "durable":
        return "FCALL", "weir_publish", 1, f"weir:{{{channel}}}", payload(number)
    return "PUBLISH", channel, payload(number)


def send_all(redis, commands, at_once=1_000):
    """The replies of `commands`, in pipelines of `at_once`."""
    replies = []
    for first in range(0, len(commands), at_once):
        pipeline = commands[first:first + at_once]
        redis.send(*pipeline)
        for _ in pipeline:
            reply = redis.read()
            if isinstance(reply, RedisError):
                raise RuntimeError(f"{pipeline[0][0]}: {reply}")
            replies.append(reply)
    return replies


def start(stack, redis, *flags):
    """A gateway that ends with `stack`, and has installed the function."""
    gateway = Gateway("--redis-url", redis.url, *flags)
    stack.callback(gateway.kill)
    gateway.wait_until_ready()
    if "--durable" in flags:
        gateway.wait_until(lambda: redis.client.command("FUNCTION", "LIST"), "weir_publish")
    return gateway


def start_redis(stack):
    redis = RedisServer()
    stack.callback(redis.stop)
    return redis.start()


def in_turn(number):
    """Each kind goes first in turn: what slows down over a run slows down both."""
    return KINDS if number % 2 == 0 else KINDS[::-1]


def median(reports, key):
    return statistics.median(report[key] for report in reports)


def ratio(rounds, key):
    """The median of the rounds' ratios of durable to live. Each round is {kind: report}."""
    return statistics.median(each["durable"][key] / each["live"][key] for each in rounds)
