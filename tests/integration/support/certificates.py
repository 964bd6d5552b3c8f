"""Certificates of a test's own: a CA and what it signs, made by the openssl program."""

import os
import subprocess
import tempfile

_CONFIG = "[req]\ndistinguished_name = name\n[name]\n"


class CertificateAuthority:
    """In a folder that goes away with close()."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="weir-ca-")
        self._issued = 0
        with open(self._path("config"), "w", encoding="ascii") as config:
            config.write(_CONFIG)
        self.file, self._key = self._make("ca", "basicConstraints=critical,CA:TRUE")

    def close(self):
        self._folder.cleanup()

    def issue(self, names="DNS:localhost,IP:127.0.0.1"):
        """The paths of a certificate and its key."""
        self._issued += 1
        return self._make(str(self._issued), f"subjectAltName={names}", "-CA", self.file, "-CAkey", self._key)

    def _path(self, name):
        return os.path.join(self._folder.name, name)

    def _make(self, name, extension, *options):
        certificate, key = self._path(name + ".pem"), self._path(name + ".key")
        subprocess.run(["openssl", "req", "-x509", "-config", self._path("config"), "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
                        "-subj", f"/CN=weir test {name}", "-addext", extension, *options], check=True,
                       capture_output=True)
        return certificate, key
