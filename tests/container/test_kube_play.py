"""The chart as Kubernetes gets it: what helm renders, started by `podman play kube`.

A Service is stood in for by its name in /etc/hosts (tests/container/run). What podman 4.3 can't do is put otherwise in
the test's copy (see playable()); what no podman can show are rollouts, readiness gating, autoscaling and network
policies.
"""

import base64
import json
import os
import signal
import subprocess
import tempfile
import unittest

import yaml

from containers import IMAGE, ROOT, Container, ContainerTest, clean_environment, podman, run

HELM = os.path.join(ROOT, "tests", "helm", "node_modules", ".helm", "4", "helm")
VALUES = {
    "image": {"repository": IMAGE.rpartition(":")[0], "tag": IMAGE.rpartition(":")[2], "pullPolicy": "Never"},
    "redis": {"url": "redis://127.0.0.1:6379"},
    "replicaCount": 1,  # podman starts no more.
    "config": {"anonymous-subscribe": ["*"], "record": ["stream", "stream2"], "drain-seconds": 3, "history-messages": 7},
    # Its file is mounted from a ConfigMap.
    "channels": [{"match": "short.*", "history-messages": 2}],
    # Where there is no Service to translate it, its port is the pod's.
    "service": {"port": 8080},
    "publishers": {"demo": {"enabled": True}, "log": {"enabled": True}},
    "preStopSeconds": 1,
}


def template(*arguments):
    """The documents of the chart, as helm prints them."""
    text = run(HELM, "template", "r", os.path.join(ROOT, "helm", "weir"), *arguments).stdout
    return [document for document in yaml.safe_load_all(text) if document]


def rendered(*arguments):
    """The documents of the chart with VALUES."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "values.yaml")
        with open(path, "w", encoding="utf-8") as values:
            json.dump(VALUES, values)  # JSON is YAML.
        return template("--values", path, *arguments)


def playable(document):
    """`document` for podman 4.3, which can't map ports in the host's network and gives httpGet to a curl in the image."""
    pod = document.get("spec", {}).get("template", {}).get("spec")
    if pod:
        pod["hostNetwork"] = True
        for container in pod["containers"]:
            container.pop("ports", None)
            if "tcpSocket" in container.get("livenessProbe", {}):
                del container["livenessProbe"]  # Takes a netcat in the image.
            elif "livenessProbe" in container:
                assert container["livenessProbe"].pop("httpGet") == {"path": "/healthz", "port": "admin"}
                container["livenessProbe"]["exec"] = {"command": ["weir-broker", "--healthcheck"]}
            container.pop("readinessProbe", None)
    return document


class PlayTest(ContainerTest):
    """`self.documents` are what helm rendered."""

    def named(self, kind, name):
        return next(document for document in self.documents
                    if document["kind"] == kind and document["metadata"]["name"] == name)

    def play(self, *deployments):
        """Starts these Deployments, with the ConfigMaps; their containers by name."""
        documents = [document for document in self.documents if document["kind"] == "ConfigMap"]
        documents += [playable(self.named("Deployment", name)) for name in deployments]
        file = tempfile.NamedTemporaryFile("w", suffix=".yaml")
        self.addCleanup(file.close)
        yaml.safe_dump_all(documents, file)
        file.flush()
        self.addCleanup(podman, "play", "kube", "--down", file.name, check=False)
        podman("play", "kube", file.name)
        pods = {}
        for name in deployments:
            for container in self.named("Deployment", name)["spec"]["template"]["spec"]["containers"]:
                full_name = f"{name}-pod-0-{container['name']}"
                pods[container["name"]] = self.keep(Container(full_name))
        return pods


class Trial(PlayTest):
    """A fresh machine: the chart as it is, not one value given."""

    def setUp(self):
        super().setUp()
        self.documents = template()
        # The names that the chart gives the images, in the storage of this run alone. No registry is asked.
        self.tag(IMAGE, "localhost/" + self.image_of("r-weir"))
        self.tag(os.environ["WEIR_VALKEY_IMAGE"], self.image_of("r-weir-valkey"))

    def image_of(self, deployment):
        (container,) = self.named("Deployment", deployment)["spec"]["template"]["spec"]["containers"]
        return container["image"]

    def tag(self, image, name):
        podman("tag", image, name)
        self.addCleanup(podman, "untag", image, name, check=False)

    def test_it_starts_and_what_is_published_arrives(self):
        gateway = self.play("r-weir", "r-weir-valkey")["weir-broker"]
        self.wait_until(self.is_ready, "/readyz")
        # A gateway is ready after a while though its Redis was never reached.
        self.wait_until(lambda: "subscriber: connected to" in gateway.logs(), "the Valkey")
        self.assert_receives_what_is_published(channel="demo.news")
        for channel, status in (("demo.news/info", "200"), ("news/info", "403")):
            answer = run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:8080/channels/{channel}")
            self.assertEqual(answer.stdout, status, channel)


class KubePlay(PlayTest):
    def setUp(self):
        super().setUp()
        self.documents = rendered()
        self.start_redis()

    def add_secret(self, name):
        """podman 4.3 refuses a Secret of `play kube`: it is put into its own store."""
        secret = self.named("Secret", name)
        data = {key: base64.b64encode(text.encode()).decode() for key, text in secret["stringData"].items()}
        self.addCleanup(podman, "secret", "rm", name, check=False)
        subprocess.run(["podman", "secret", "create", name, "-"], input=json.dumps(data).encode(), check=True,
                       capture_output=True, env=clean_environment())

    def play(self, *deployments):
        self.add_secret("r-weir")
        return super().play(*deployments)

    def grace_seconds(self, name):
        return self.named("Deployment", name)["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]

    def test_it_streams_passes_its_own_test_and_drains_within_its_grace_period(self):
        gateway = self.play("r-weir")["weir-broker"]
        self.wait_until(self.is_ready, "/readyz")
        self.assertTrue(gateway.healthcheck())
        streams = [self.assert_receives_what_is_published() for _ in range(3)]

        test = self.run_helm_test()
        self.assertEqual(test.returncode, 0, test)
        self.assertIn("the message came", test.stdout)

        # What stands in for the pod's own wait, which podman does not run.
        pod = self.named("Deployment", "r-weir")["spec"]["template"]["spec"]
        self.assertEqual(gateway.exec(*pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"])[0], 0)
        self.assertEqual(gateway.stop(self.grace_seconds("r-weir")), 0)
        for stream in streams:
            self.assertEqual(stream.wait_for_end(), 0)
            stream.wait_for(": closing: drain", "retry: ")

    def run_helm_test(self):
        """The pod of `helm test`: its command and environment, as restricted as it says."""
        pod = next(document for document in rendered("--show-only", "templates/tests/stream.yaml")
                   if document["metadata"]["annotations"]["helm.sh/hook"] == "test")
        (container,) = pod["spec"]["containers"]
        security = container["securityContext"]
        self.assertEqual(security["capabilities"], {"drop": ["ALL"]})
        self.assertTrue(security["readOnlyRootFilesystem"])
        options = [f"--env={variable['name']}={variable.get('value', VALUES['redis']['url'])}" for variable in container["env"]]
        options += ["--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL", f"--user={pod['spec']['securityContext']['runAsUser']}"]
        options += [f"--add-host={document['metadata']['name']}:127.0.0.1" for document in self.documents
                    if document["kind"] == "Service"]
        return podman("run", "--rm", "--network=host", "--no-healthcheck", *options, container["image"],
                      *container["command"], check=False)

    def test_the_test_fails_where_no_gateway_answers_or_redis_is_dead(self):
        self.assertNotEqual(self.run_helm_test().returncode, 0)
        self.play("r-weir")
        self.wait_until(self.is_ready, "/readyz")
        self.assertEqual(self.run_helm_test().returncode, 0)
        run("redis-cli", "shutdown", "nosave", check=False)
        self.assertNotEqual(self.run_helm_test().returncode, 0)

    def test_its_settings_arrive(self):
        gateway = self.play("r-weir")["weir-broker"]
        self.wait_until(self.is_ready, "/readyz")
        status = gateway.process_status()
        self.assertEqual(status["Uid"].split(), ["65532"] * 4)
        self.assertEqual(int(status["CapEff"], 16), 0)
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertNotEqual(gateway.exec("touch", "/x")[0], 0)
        self.assertEqual(gateway.inspect()["HostConfig"]["Memory"], 2 << 30)
        # Those of the ConfigMap's variables, and the [[channel]] table of its file.
        for channel, kept in (("long.a", 7), ("short.a", 2)):
            stream = self.curl(f"http://127.0.0.1:8080/channels/{channel}")
            stream.wait_for("id: ")
            for n in range(9):
                self.publish(channel, f"message {n}")
            stream.wait_for("message 8")
            self.wait_until(lambda: json.loads(run("curl", "-s", f"http://127.0.0.1:8080/channels/{channel}/info").stdout)
                            ["logMessages"] == kept, f"{channel} keeps {kept}")

    def test_one_that_dies_is_started_again(self):
        gateway = self.play("r-weir")["weir-broker"]
        self.wait_until(self.is_ready, "/readyz")
        first = gateway.inspect()["State"]["Pid"]
        os.kill(first, signal.SIGKILL)
        self.wait_until(lambda: gateway.inspect()["State"]["Pid"] not in (0, first) and self.is_ready(), "a second one")
        self.assert_receives_what_is_published()

    def test_its_publishers_publish(self):
        containers = self.play("r-weir", "r-weir-demo", "r-weir-log")
        self.wait_until(self.is_ready, "/readyz")
        demo = self.curl("http://127.0.0.1:8080/channels/stream?replay=7")
        demo.wait_for('data: {"msg":"aaa"}', 'data: {"msg":"bbb"}')
        log = self.curl("http://127.0.0.1:8080/channels/stream2?replay=7")
        log.wait_for("load ", "load ")
        for name in ("publisher", "writer"):
            self.assertEqual(containers[name].process_status()["Uid"].split(), ["65532"] * 4)


if __name__ == "__main__":
    unittest.main()
