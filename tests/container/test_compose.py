"""docker/compose.yaml: each service's command, environment and restrictions, started for real.

Compose itself is not there. What it would do with each key is done here for podman; a key that is not known here fails.
"""

import os
import re
import unittest

import yaml

from containers import ROOT, ContainerTest, run

with open(os.path.join(ROOT, "docker", "compose.yaml"), encoding="utf-8") as _file:
    COMPOSE = yaml.safe_load(_file)
SERVICES = COMPOSE["services"]
# In the tests' network all ports are published, nothing is started again, and the tests order what is started.
NOT_FOR_PODMAN = {"image", "build", "restart", "depends_on", "ports", "command", "stop_grace_period"}


def unescaped(text):
    """Compose's own variables are written ${X}, and a dollar sign $$."""
    if re.search(r"(?<!\$)(\$\$)*\$(?!\$)", text):
        raise AssertionError(f"a variable of compose: {text}")
    return text.replace("$$", "$")


def healthcheck_options(check):
    assert check == {"disable": True}, check
    return ["--no-healthcheck"]


OPTIONS = {
    "environment": lambda variables: [f"--env={name}={unescaped(text)}" for name, text in variables.items()],
    "read_only": lambda on: [f"--read-only={str(on).lower()}", "--read-only-tmpfs=false"],
    "cap_drop": lambda names: [f"--cap-drop={name}" for name in names],
    "security_opt": lambda names: [f"--security-opt={name.replace(':true', '')}" for name in names],
    "user": lambda user: [f"--user={user}"],
    "tmpfs": lambda mounts: [f"--tmpfs={mount}" for mount in mounts],
    "mem_limit": lambda limit: [f"--memory={limit}"],
    "pids_limit": lambda limit: [f"--pids-limit={limit}"],
    "healthcheck": healthcheck_options,
}


def podman_options(service):
    options = []
    for key, value in service.items():
        if key not in NOT_FOR_PODMAN:
            options += OPTIONS[key](value)
    # Other services are found by their names.
    return options + [f"--add-host={name}:127.0.0.1" for name in SERVICES]


class Compose(ContainerTest):
    def start_service(self, name):
        service = SERVICES[name]
        self.assertEqual(service["image"], "weir:latest")
        return self.start(*map(unescaped, service.get("command", [])), options=podman_options(service))

    def test_every_service_runs_and_the_demos_events_arrive(self):
        redis = SERVICES["redis"]
        program, *arguments = redis["command"]
        self.assertEqual(program, "redis-server")
        self.start_redis(*arguments)
        self.assertEqual(redis["healthcheck"]["test"][0], "CMD")
        run(*redis["healthcheck"]["test"][1:])

        gateway = self.start_service("gateway")
        publishers = [self.start_service(name) for name in SERVICES if name not in ("redis", "gateway")]
        self.assertEqual(len(publishers), 3)
        self.wait_until(self.is_ready, "/readyz")
        self.assertTrue(gateway.healthcheck())

        curl = {name: self.curl(f"http://127.0.0.1:8080/channels/{name}?replay=100")
                for name in ("stream", "stream2", "stream3")}
        curl["stream"].wait_for('data: {"msg":"aaa"}', 'data: {"msg":"bbb"}', 'data: {"msg":"ccc"}')
        curl["stream2"].wait_for("load ", "load ")
        curl["stream3"].wait_for('{"type":"Buffer","data":[')
        # As the page at / does, and a developer's own page.
        page = run("curl", "-sf", "http://127.0.0.1:8080/").stdout
        self.assertIn("<html", page)
        origin = "http://localhost:5173"
        head = run("curl", "-sf", "-D-", "-o", "/dev/null", "-H", f"Origin: {origin}",
                   "http://127.0.0.1:8080/channels/stream/info").stdout
        self.assertIn(f"access-control-allow-origin: {origin}", head.lower())

        for publisher in publishers:
            self.assertEqual(publisher.inspect()["State"]["Status"], "running")
            self.assertEqual(publisher.process_status()["Uid"].split(), ["65532"] * 4)
        grace = re.fullmatch(r"(\d+)s", SERVICES["gateway"]["stop_grace_period"])
        self.assertEqual(gateway.stop(grace_seconds=int(grace[1])), 0)
        for stream in curl.values():
            self.assertEqual(stream.wait_for_end(), 0)

    def test_only_the_gateway_is_published_and_to_this_machine_alone(self):
        self.assertEqual([name for name, service in SERVICES.items() if "ports" in service], ["gateway"])
        for port in SERVICES["gateway"]["ports"]:
            self.assertRegex(port, r"\A127\.0\.0\.1:")

    def test_the_services_of_the_image_may_do_as_little_as_they_can(self):
        for name, service in SERVICES.items():
            if name == "redis":
                continue
            self.assertTrue(service["read_only"], name)
            self.assertEqual(service["cap_drop"], ["ALL"], name)
            self.assertEqual(service["user"], "65532:65532", name)
            self.assertIn("no-new-privileges:true", service["security_opt"], name)


if __name__ == "__main__":
    unittest.main()
