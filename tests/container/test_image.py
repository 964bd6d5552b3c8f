"""The image: what is in it, how little it may do, and how it starts, is watched and ends."""

import json
import os
import shutil
import tempfile
import unittest

from containers import IMAGE, ROOT, STRICT, CertificateAuthority, ContainerTest, podman, run

PROGRAMS = ["weir-broker", "weir-publish-demo", "weir-publish-log", "weir-publish-file"]
REDIS = "redis://127.0.0.1:6379"
# The settings of a gateway that everyone may use.
OPEN = [f"--env=WEIR_REDIS_URL={REDIS}", "--env=WEIR_LISTEN=0.0.0.0:8080", "--env=WEIR_ADMIN_LISTEN=0.0.0.0:8081",
        "--env=WEIR_ANONYMOUS_SUBSCRIBE=*", "--env=WEIR_DRAIN_SECONDS=2"]


class Image(ContainerTest):
    def setUp(self):
        super().setUp()
        self.image = json.loads(podman("image", "inspect", IMAGE).stdout)[0]

    def test_it_is_small(self):
        self.assertLess(self.image["Size"], 100_000_000)

    def test_it_says_what_it_is(self):
        labels = self.image["Labels"]
        prefix = "org.opencontainers.image."
        self.assertEqual(labels[prefix + "title"], "weir")
        self.assertEqual(labels[prefix + "version"], "1.2.3")  # As tests/container/run builds it.
        self.assertEqual(labels[prefix + "revision"], "abc")
        self.assertEqual(labels[prefix + "created"], "2026-01-02T03:04:05Z")
        self.assertEqual(labels[prefix + "licenses"], "MIT")
        self.assertEqual(labels[prefix + "base.name"], "docker.io/library/debian:trixie-slim")
        self.assertTrue(labels[prefix + "description"])

    def test_it_starts_the_gateway_as_nobody_in_particular(self):
        config = self.image["Config"]
        self.assertEqual(config["Cmd"], ["weir-broker"])
        # A number, or Kubernetes' runAsNonRoot refuses it.
        self.assertEqual(config["User"], "65532:65532")
        self.assertEqual(config["StopSignal"], "SIGTERM")
        self.assertEqual(sorted(config["ExposedPorts"]), ["8080/tcp", "8081/tcp"])
        self.assertEqual(self.image["Healthcheck"]["Test"], ["CMD", "weir-broker", "--healthcheck"])

    def test_nothing_that_builds_or_downloads_is_left_in_it(self):
        script = "command -v g++ cmake ninja ld curl wget python3; ls /src /build /var/lib/apt/lists/*; true"
        found = podman("run", "--rm", "--network=none", IMAGE, "sh", "-c", script).stdout
        self.assertEqual(found, "")

    def test_every_library_that_it_is_built_with_has_its_notice(self):
        with open(f"{ROOT}/scripts/packages.txt", encoding="utf-8") as packages:
            groups = [line.split() for line in packages if line.startswith("build ")]
        # fmt comes with spdlog, whose templates are in the programs too.
        libraries = [name for _, name in groups if name.endswith("-dev")] + ["libfmt-dev"]
        self.assertIn("libcli11-dev", libraries)
        script = 'cd /usr/share/doc/weir/third-party && for name; do grep -lEi "copyright|license" "$name"; done'
        found = podman("run", "--rm", "--network=none", IMAGE, "sh", "-c", script, "-", *libraries).stdout.split()
        self.assertEqual(found, libraries)

    def test_every_shared_library_has_its_notice(self):
        script = """cd /usr/local/bin && ldd weir-* | awk '/=> \\// {print $3}' | sort -u | while read -r file; do
                      package=$(dpkg-query --search "*${file##*/}" | sed 's/[:,].*//' | head -n 1)
                      echo "$package"
                      grep -lEi "copyright|license" "/usr/share/doc/$package/copyright" >/dev/null || echo "$package has none"
                    done"""
        found = podman("run", "--rm", "--network=none", IMAGE, "sh", "-c", script).stdout.split("\n")
        self.assertIn("libhiredis1.1.0", found)
        self.assertEqual([line for line in found if line.endswith("has none")], [])

    def test_it_waits_before_it_stops_without_a_shell(self):
        podman("run", "--rm", "--network=none", *STRICT, "--entrypoint=weir-broker", IMAGE, "--sleep", "1")

    def test_each_program_finds_its_libraries(self):
        script = "for program; do $program --help >/dev/null || exit; done"
        podman("run", "--rm", "--network=none", *STRICT, IMAGE, "sh", "-ec", script, "-", *PROGRAMS)

    def test_a_second_build_gives_the_same_binaries(self):
        # By default one program alone, so that it does not take minutes. Other JOBS: the result of the first build is
        # not taken from podman's cache, and the order in which things are compiled is another one.
        programs = PROGRAMS if "WEIR_TEST_WHOLE_BUILD" in os.environ else ["weir-publish-demo"]
        name = IMAGE + "-second"
        self.addCleanup(podman, "untag", name)
        podman("build", "--network=host", "--format=docker", "--target=build", "--build-arg=JOBS=3",
               f"--build-arg=PROGRAMS={' '.join(programs)}", f"--tag={name}", f"--file={ROOT}/docker/Dockerfile", ROOT,
               seconds=1800)
        self.assertEqual(self.digests(name, "/build/bin", programs), self.digests(IMAGE, "/usr/local/bin", programs))

    def digests(self, image, folder, programs):
        script = 'cd "$1" && shift && sha256sum "$@"'
        return podman("run", "--rm", "--network=none", image, "sh", "-ec", script, "-", folder, *programs).stdout


class Gateway(ContainerTest):
    def test_it_streams_without_root_capabilities_or_a_place_to_write(self):
        self.start_redis()
        gateway = self.start(options=[*STRICT, *OPEN, "--memory=256m", "--pids-limit=64"])
        self.wait_until(self.is_ready, "/readyz")
        self.assert_receives_what_is_published()
        status = gateway.process_status()
        self.assertEqual(status["Uid"].split(), ["65532"] * 4)
        self.assertEqual(status["Gid"].split(), ["65532"] * 4)
        for field in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(status[field], 16), 0, field)
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual(status["Seccomp"], "2")
        for folder in ("/", "/usr/local/bin", "/var/tmp", "/home"):
            code, said = gateway.exec("touch", f"{folder}/x")
            self.assertNotEqual(code, 0, folder)
            self.assertRegex(said, "Read-only file system|Permission denied")

    def test_its_health_is_that_of_the_gateway(self):
        gateway = self.start(options=[*STRICT, *OPEN])
        self.wait_until(lambda: run("curl", "-s", "-o", "/dev/null", "http://127.0.0.1:8081/healthz", check=False)
                        .returncode == 0, "/healthz")
        self.assertFalse(gateway.healthcheck())  # Redis was not reached yet.
        self.start_redis()
        self.wait_until(self.is_ready, "/readyz")
        self.assertTrue(gateway.healthcheck())

    def test_sigterm_drains_and_ends_with_0(self):
        self.start_redis()
        gateway = self.start(options=[*STRICT, *OPEN])
        self.wait_until(self.is_ready, "/readyz")
        streams = [self.assert_receives_what_is_published() for _ in range(3)]
        self.assertEqual(gateway.stop(grace_seconds=30), 0)
        for stream in streams:
            self.assertEqual(stream.wait_for_end(), 0)
            stream.wait_for(": closing: drain", "retry: ")

    def test_settings_that_do_not_go_end_it_at_once(self):
        result = podman("run", "--rm", "--network=host", *STRICT, "--env=WEIR_LISTEN=0.0.0.0:8080", IMAGE, check=False)
        self.assertEqual(result.returncode, 2)
        self.assertIn("weir-broker: ", result.stderr)


class SystemCertificates(ContainerTest):
    """Whom rediss:// trusts without --redis-ca-file."""

    def setUp(self):
        super().setUp()
        self.authority = CertificateAuthority()
        self.addCleanup(self.authority.close)
        certificate, key = self.authority.issue()
        self.start_redis("--tls-port", "6380", "--tls-cert-file", certificate, "--tls-key-file", key,
                         "--tls-ca-cert-file", self.authority.file, "--tls-auth-clients", "no")

    def start_with_tls(self, *options, image=IMAGE):
        return self.start(options=[*STRICT, *OPEN, "--env=WEIR_REDIS_URL=rediss://127.0.0.1:6380", *options], image=image)

    def test_a_redis_whose_ca_is_not_in_the_store_is_refused(self):
        gateway = self.start_with_tls()
        self.wait_until(lambda: "is not accepted" in gateway.logs(), "the refusal")

    def test_a_redis_whose_ca_is_in_a_mounted_bundle_is_reached(self):
        self.start_with_tls(f"--volume={self.authority.file}:/etc/ssl/certs/ca-certificates.crt:ro")
        self.wait_until(self.is_ready, "/readyz")
        self.assert_receives_what_is_published()

    def test_a_redis_whose_ca_was_added_to_the_image_is_reached(self):
        image = self.image_with_authority()
        self.start_with_tls(image=image)
        self.wait_until(self.is_ready, "/readyz")
        self.assert_receives_what_is_published()

    def image_with_authority(self):
        """The image with the CA in its store, as whoever derives one from it puts it there."""
        name = IMAGE + "-with-ca"
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(self.authority.file, f"{folder}/ours.crt")
            with open(f"{folder}/Dockerfile", "w", encoding="ascii") as file:
                file.write(f"FROM {IMAGE}\nUSER 0\nCOPY ours.crt /usr/local/share/ca-certificates/\n"
                           "RUN update-ca-certificates\nUSER 65532:65532\n")
            self.addCleanup(podman, "untag", name)
            podman("build", "--network=host", "--format=docker", f"--tag={name}", folder)
        return name


class Publishers(ContainerTest):
    def setUp(self):
        super().setUp()
        self.start_redis()
        self.start(options=[*STRICT, *OPEN, "--env=WEIR_RECORD=story,lines,bytes"])
        self.wait_until(self.is_ready, "/readyz")

    def publisher(self, *command, options=()):
        return self.start(*command, options=[*STRICT, f"--env=WEIR_TO={REDIS}", "--no-healthcheck", *options])

    def test_the_demo_tells_its_story(self):
        stream = self.curl("http://127.0.0.1:8080/channels/story?replay=10")
        demo = self.publisher("weir-publish-demo", "--channel", "story", "--repeat")
        stream.wait_for('"aaa"', '"bbb"', '"ccc"', '"aaa"')
        self.assertEqual(demo.stop(grace_seconds=20), 0)

    def test_the_log_is_followed(self):
        stream = self.curl("http://127.0.0.1:8080/channels/lines?replay=10")
        stream.wait_for("id: ")
        log = self.publisher("weir-publish-log", "--channel", "lines", "/tmp/log", options=["--tmpfs=/tmp:size=1m"])
        # What is there before the publisher is not told, so that it is written until it comes.
        self.wait_until(lambda: log.exec("sh", "-c", "echo one line >> /tmp/log")[0] == 0 and
                        any("one line" in line for line in stream.lines), "the line")
        self.assertEqual(log.stop(grace_seconds=20), 0)

    def test_a_file_is_sent_byte_for_byte(self):
        stream = self.curl("http://127.0.0.1:8080/channels/bytes?replay=10")
        stream.wait_for("id: ")
        file = self.publisher("weir-publish-file", "--channel", "bytes", "/usr/share/doc/weir/LICENSE")
        line = stream.wait_for('data: {"msg"')[-1]
        sent = json.loads(line.removeprefix("data: "))["msg"]["data"]
        with open(os.path.join(ROOT, "LICENSE"), "rb") as original:
            self.assertEqual(bytes(sent), original.read())
        self.wait_until(lambda: file.inspect()["State"]["Status"] == "exited", "the publisher's end")
        self.assertEqual(file.inspect()["State"]["ExitCode"], 0)


if __name__ == "__main__":
    unittest.main()
