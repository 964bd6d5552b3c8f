"""Tokens and keys: HS256 by the standard library, the others by the openssl program. Nothing of it is the gateway's."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import tempfile
import time


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _openssl(*arguments, data=None):
    result = subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=False)
    if result.returncode != 0:
        raise AssertionError(f"openssl {' '.join(arguments)}: {result.stderr.decode()}")
    return result.stdout


def _ecdsa_numbers(der):
    """The two numbers of an ECDSA signature, 32 bytes each: SEQUENCE { INTEGER r, INTEGER s }."""
    numbers = []
    position = 2
    for _ in range(2):
        length = der[position + 1]
        numbers.append(int.from_bytes(der[position + 2:position + 2 + length], "big"))
        position += 2 + length
    return b"".join(number.to_bytes(32, "big") for number in numbers)


class Secret:
    """A secret shared with the gateway (HS256)."""
    algorithm = "HS256"

    def __init__(self, secret):
        self.secret = secret

    def sign(self, text):
        return hmac.new(self.secret, text, hashlib.sha256).digest()

    def jwk(self, **members):
        return {"kty": "oct", "k": base64url(self.secret), **members}


class KeyPair:
    """A key pair made by openssl: "rsa", "ec" or "ed25519"."""

    def __init__(self, kind, bits=2048):
        options = {"rsa": ("RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}"),
                   "ec": ("EC", "-pkeyopt", "ec_paramgen_curve:P-256"), "ed25519": ("ED25519",)}[kind]
        self.kind = kind
        self.algorithm = {"rsa": "RS256", "ec": "ES256", "ed25519": "EdDSA"}[kind]
        self._private = tempfile.NamedTemporaryFile()
        self._private.write(_openssl("genpkey", "-algorithm", *options))
        self._private.flush()
        self.public_pem = _openssl("pkey", "-in", self._private.name, "-pubout")

    def sign(self, text):
        key = self._private.name
        if self.kind == "ed25519":  # Reads its input twice: a file.
            with tempfile.NamedTemporaryFile() as file:
                file.write(text)
                file.flush()
                return _openssl("pkeyutl", "-sign", "-inkey", key, "-rawin", "-in", file.name)
        signature = _openssl("dgst", "-sha256", "-sign", key, data=text)
        return _ecdsa_numbers(signature) if self.kind == "ec" else signature

    def jwk(self, **members):
        # The last bytes of the public key in DER are its numbers.
        der = _openssl("pkey", "-in", self._private.name, "-pubout", "-outform", "DER")
        if self.kind == "ec":
            key = {"kty": "EC", "crv": "P-256", "x": base64url(der[-64:-32]), "y": base64url(der[-32:])}
        elif self.kind == "ed25519":
            key = {"kty": "OKP", "crv": "Ed25519", "x": base64url(der[-32:])}
        else:
            modulus = _openssl("rsa", "-in", self._private.name, "-noout", "-modulus").strip().split(b"=")[1]
            key = {"kty": "RSA", "n": base64url(bytes.fromhex(modulus.decode())), "e": "AQAB"}
        return {**key, **members}


def claims(subscribe=(), publish=(), seconds=600, **more):
    return {"exp": int(time.time()) + seconds, "weir": {"subscribe": list(subscribe), "publish": list(publish)}, **more}


def encode(signer, header, payload):
    """A token of these two, which are objects or bytes."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    text = ".".join(base64url(part) for part in parts)
    return f"{text}.{base64url(signer.sign(text.encode()))}"


def token(signer, subscribe=(), publish=(), seconds=600, header=None, **more):
    return encode(signer, {"alg": signer.algorithm, "typ": "JWT", **(header or {})},
                  claims(subscribe, publish, seconds, **more))


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


class KeyFile:
    """A file that is replaced at once, as whoever rotates keys should do it."""

    def __init__(self, content):
        self._folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self._folder.name, "key")
        self.replace(content)

    def remove(self):
        self._folder.cleanup()

    def replace(self, content):
        if isinstance(content, dict):
            content = json.dumps(content)
        if isinstance(content, str):
            content = content.encode()
        with open(self.path + ".new", "wb") as file:
            file.write(content)
        os.rename(self.path + ".new", self.path)
