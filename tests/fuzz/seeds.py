"""Writes the inputs that the fuzzers begin with: FOLDER/TARGET/NAME.

    python3 tests/fuzz/seeds.py build/fuzz/seeds

Most are made of what the repository holds anyway: the vectors of proto/ and the table of settings. Inputs that once
failed stand in tests/fuzz/regressions/TARGET/ as they are.
"""
import base64
import hashlib
import json
import pathlib
import re
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def vectors(name):
    return json.loads((ROOT / "proto" / "vectors" / name).read_text())


def bytes_of(vector, key):
    if key in vector:
        return vector[key].encode("utf-8", "surrogatepass")
    return base64.b64decode(vector[key + "_base64"])


def payloads():
    return [bytes_of(each, "payload") for each in vectors("messages.json")["vectors"]]


def texts():
    return [bytes_of(each, "bytes") for each in vectors("utf8.json")["vectors"]]


def json_seeds():
    return payloads() + texts()


# The first byte says whether a payload or a block is made of it, then come the mode and the channel.
def message_seeds():
    for payload in payloads():
        for mode in range(3):
            yield bytes([0, mode, mode]) + payload
    for text in texts():
        yield b"\x01gabcd1234.7\nweir:gap\n" + text
    yield b"\x01\n\nfirst\r\nsecond\rthird\n\n"


def names_seeds():
    names = vectors("channel_names.json")
    for name in names["valid"] + names["invalid"]:
        yield name.encode()
    for each in names["decode"]:
        yield each["text"].encode()
    for each in vectors("patterns.json")["vectors"]:
        yield f"{each['pattern']}\n{each['name']}".encode()
    for each in vectors("event_ids.json").values():
        for item in each:
            yield (item["id"] if isinstance(item, dict) else item).encode()
    yield from (b"1760000000000123456-7", b"cAAAAAAAAABA.BAAAAAAAABB!gabcd1234.7~mine", b"0-0~end")
    yield b"channel=a&channel=user%3A42&replay=3&form=json&lastEventId=gabcd1234.7\ntext/event-stream"
    yield b"text/*;q=0.5, */*;q=0, text/event-stream;q=0.000\nlocalhost:8080"


# The first byte chooses the gateway's rules, the second one how the bytes are cut.
def request_seeds():
    host = "Host: localhost:8080\r\n"
    heads = [
        f"GET /channels/news HTTP/1.1\r\n{host}Accept: text/event-stream\r\nLast-Event-ID: gabcd1234.7\r\n\r\n",
        f"GET /events?channel=a&channel=b&new=b&replay.b=all&lastEventId=gabcd1234.7 HTTP/1.1\r\n{host}\r\n",
        f"GET /clients/weir.js HTTP/1.1\r\n{host}If-None-Match: W/\"a\", *\r\n\r\n",
        f"GET /channels/user%3A42?replay=3&form=json HTTP/1.1\r\n{host}Origin: https://a.example\r\n\r\n",
        f"GET /events?channel=news&channel=user:1&lastEventId=gabcd1234.7 HTTP/1.1\r\n{host}Cookie: a=b\r\n\r\n",
        f"GET /channels/news?access_token=x.y.z HTTP/1.1\r\n{host}Authorization: Bearer x.y.z\r\n\r\n",
        f"HEAD /channels/news HTTP/1.1\r\n{host}Range: bytes=0-1,3-\r\n\r\n",
        f"GET /channels/news/info HTTP/1.1\r\n{host}Connection: close, keep-alive\r\n\r\n",
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "GET http://localhost/channels/news HTTP/1.1\r\nHost: other\r\n\r\n",
        f"OPTIONS * HTTP/1.1\r\n{host}\r\n",
        f"OPTIONS /channels/news HTTP/1.1\r\n{host}Origin: https://a.example\r\n"
        "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n\r\n",
        f"POST /channels/news HTTP/1.1\r\n{host}Content-Length: 11\r\nContent-Type: application/json\r\n"
        f"Expect: 100-continue\r\nX-Forwarded-For: 10.0.0.1, 10.0.0.2\r\n\r\n{{\"msg\":123}}",
        f"POST /channels/news HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n"
        "4;x=y\r\n{\"a\"\r\n3\r\n:1}\r\n0\r\nx: y\r\n\r\n",
        f"POST /channels/news/end HTTP/1.1\r\n{host}Origin: https://b.example\r\nContent-Length: 2\r\n\r\n42",
        f"PUT /channels/news HTTP/1.1\r\n{host}Content-Encoding: gzip\r\n\r\n",
        f"DELETE /nothing HTTP/1.1\r\n{host}A: b\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "4\r\nabcd\r\n0\r\n\r\n",
    ]
    for i, head in enumerate(heads):
        for rules in (1, 2, 4, 10, 16, 32):
            yield bytes([rules + i % 2, 7]) + head.encode()


def settings_seeds():
    table = (ROOT / "docs" / "settings.md").read_text()
    rows = re.findall(r"`--([a-z-]+)", table)
    values = ["1", "100", "4M", "true", "on", "*", "memory", "127.0.0.1:0", "redis://u:p@h:1/2", "skip", "x=y"]
    for i, row in enumerate(sorted(set(rows))):
        for value in (values[i % len(values)], values[(i * 7 + 3) % len(values)]):
            name = "WEIR_" + row.upper().replace("-", "_")
            quoted = value if value.isdigit() or value == "true" else f'"{value}"'
            yield f"--{row}={value}\n{name}={value}\0{row} = {quoted}\n".encode()
    yield b"--listen\n0.0.0.0:80\n--anonymous-subscribe=news\n--anonymous-subscribe=user:*\nWEIR_BUS=memory"
    yield b'\0[[channel]]\nmatch = "log.*"\nslow-client = "latest"\n[[channel]]\nmatch = "*"\nqueue-bytes = "4K"\n'
    yield b'\0record = ["a", "b"]\ncors-origin = "https://a.example"\nlog-level = "off"\n'
    yield b"--help"
    yield b"--version\n--"


def urls_seeds():
    for text in ("redis://127.0.0.1:6379", "redis://user:\n@host:1/2", "redis://:\n@[::1]:6379?db=3",
                 "unix:///run/redis.sock?db=1", "unix://user:\n@/run/redis.sock", "rediss://h:1", "http://host:80/base",
                 "http://user:p%40\n@host", "10.0.0.0/8", "2001:db8::/32", "192.0.2.1, ::ffff:10.0.0.1", "127.0.0.1:8080", "[::1]:8080", ":0", "localhost:80"):
        yield text.encode()


def resp(*parts):
    return b"*%d\r\n" % len(parts) + b"".join(
        b":%d\r\n" % part if isinstance(part, int) else b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


# 0: the filter, its limit and the cut; 1: the subscriber; 2: the publisher, pieces divided by 0xff; 3: an announcement.
def redis_seeds():
    message = resp(b"message", b"p:a", b'{"msg":1}')
    large = resp(b"message", b"p:a", b"x" * 100)
    for text in (message, large, message + large + message, b"+PONG\r\n-ERR no\r\n:1\r\n$-1\r\n*-1\r\n", b"$5\r\n12345"):
        yield bytes([0, 64, 6]) + text
    acknowledged = resp(b"subscribe", b"p:a", 1)
    yield b"\x01\x00\x00\x00" + acknowledged + message + large
    yield b"\x01\x00\x00\x00" + acknowledged + b"\xff\x00\x01" + message + resp(b"unsubscribe", b"p:a", 0)
    yield (b"\x01\x01\x00\x00" + resp(b"psubscribe", b"log.*", 1) + acknowledged +
           resp(b"pmessage", b"p:log.*", b"p:log.1", b"line"))
    yield b"\x01\x01\x00\x00-NOPERM no\r\n-NOPERM no\r\n+PONG\r\n"
    yield b"\x02\x03:1\r\n:2\r\n:0\r\n\xff\x02-NOPERM no\r\n+OK\r\n"
    yield b'\x031760000000000123456-7 1760000000000 {"msg":1}'


# The first byte: a token, one to be signed (with which key), keys, JSON, base64url, or where a request has its token.
def tokens_seeds():
    claims = b'{"exp":1800000600,"nbf":1,"aud":["weir"],"weir":{"subscribe":["user:42","team.*"],"publish":["a"]}}'
    for signer, header in enumerate((b'{"alg":"HS256","typ":"JWT"}', b'{"alg":"RS256"}', b'{"alg":"ES256","kid":"ec"}',
                                     b'{"alg":"EdDSA","kid":"ed"}', b'{"alg":"HS256"}', b'{"alg":"none"}')):
        yield bytes([1, signer]) + header + b"\n" + claims
    yield b'\x01\x00{"alg":"HS256"}\n{"exp":1e308,"aud":"weir"}'
    encoded = [base64.urlsafe_b64encode(text).rstrip(b"=") for text in (b'{"alg":"HS256"}', claims, bytes(32))]
    yield b"\x00" + b".".join(encoded)
    number = base64.urlsafe_b64encode(b"\xc1" * 256).rstrip(b"=")
    point = base64.urlsafe_b64encode(bytes(range(32))).rstrip(b"=")
    yield b'\x02{"keys":[{"kty":"RSA","kid":"a","n":"' + number + b'","e":"AQAB","use":"sig"}]}'
    yield b'\x02{"keys":[{"kty":"OKP","crv":"Ed25519","x":"' + point + b'"},{"kty":"oct","k":"' + number + b'"}]}'
    yield b'\x02{"keys":[{"kty":"EC","crv":"P-256","x":"' + point + b'","y":"' + point + b'"}]}'
    yield (b"\x02-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
           b"-----END PUBLIC KEY-----\n")
    for payload in payloads():
        yield b"\x03" + payload
    yield b"\x04" + encoded[1]
    yield b"\x05channel=a&access_token=aaaa.bbbb.cccc\nBearer aaaa.bbbb.cccc\nweir_token=aaaa.bbbb.cccc; a=b"


# How long a line may be, and how the bytes are cut.
def lines_seeds():
    for text in texts():
        yield bytes([4, 3]) + text
    yield b"\x00\x00one\ntwo\r\nthree\n\nfive"
    yield "\x08\x02a word or two, \u00e9\u65e5\U0001f389 and a longlonglonglonglonglonglongone\r".encode()


def script_seeds():
    for payload in payloads():
        yield payload
    yield b'\xef\xbb\xbf{"message":1}\r\n\n{"delay_ms":0.5,"message":"b"}\n{"at_ms":1e3,"message":{"data":{}}}'
    yield b'{"type":"tick","data":{"a":1},"id":"7"}'


TARGETS = {"json": json_seeds, "lines": lines_seeds, "message": message_seeds, "names": names_seeds,
           "redis": redis_seeds, "request": request_seeds, "script": script_seeds,
           "settings": settings_seeds, "tokens": tokens_seeds, "urls": urls_seeds}


def main():
    folder = pathlib.Path(sys.argv[1])
    shutil.rmtree(folder, ignore_errors=True)
    for target, seeds in TARGETS.items():
        (folder / target).mkdir(parents=True)
        for seed in seeds():
            (folder / target / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
        for regression in sorted((ROOT / "tests" / "fuzz" / "regressions" / target).glob("*")):
            shutil.copy(regression, folder / target)


main()
