"""weir-broker --healthcheck: the same program with the same settings asks whether the gateway is ready."""

import socket
import threading
import unittest

from support.case import GatewayTest
from support.gateway import run_once
from support.redis import RedisServer


def check(port, **options):
    return run_once("--healthcheck", "--admin-listen", f"127.0.0.1:{port}", **options)


class Healthcheck(GatewayTest):
    def assert_refused(self, result, why):
        """Exit code 1, and one line on the standard error stream."""
        self.assertEqual(result.returncode, 1, result)
        self.assertEqual(result.stdout, "")
        self.assertRegex(result.stderr, rf"\Aweir-broker: [^\n]*{why}[^\n]*\n\Z")

    def test_a_gateway_that_is_ready_is_healthy_and_nothing_is_printed(self):
        gateway = self.start_gateway()
        result = check(gateway.admin_port)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))

    def test_it_reads_the_environment_of_the_gateway(self):
        gateway = self.start_gateway()
        # All addresses are asked over loopback; what else is set need not make sense for one who only asks.
        for listen in (f"0.0.0.0:{gateway.admin_port}", f":{gateway.admin_port}", f"localhost:{gateway.admin_port}"):
            environment = {"WEIR_ADMIN_LISTEN": listen, "WEIR_LISTEN": "0.0.0.0:8080", "WEIR_UNKNOWN": "x"}
            result = run_once("--healthcheck", env=environment)
            self.assertEqual((result.returncode, result.stderr), (0, ""), listen)

    def test_before_redis_was_reached_it_is_not_ready(self):
        redis = RedisServer()
        self.addCleanup(redis.stop)
        redis.reserve()
        gateway = self.start_gateway(redis=redis, wait=False)
        self.assert_refused(check(gateway.admin_port), "503 .*Redis was not reached yet")

    def test_nobody_there(self):
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))  # Bound and not listening: the port stays free and refuses.
            self.assert_refused(check(held.getsockname()[1]), "Connection refused")

    def test_one_who_accepts_and_says_nothing(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.assert_refused(check(server.getsockname()[1]), "no answer in time")

    def test_one_who_is_no_gateway(self):
        for answer, why in ((b"", "closed without an answer"), (b"SSH-2.0-x\r\n", "not a gateway")):
            with socket.create_server(("127.0.0.1", 0)) as server:
                def serve(server=server, answer=answer):
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(65536)
                        connection.sendall(answer)
                thread = threading.Thread(target=serve)
                thread.start()
                result = check(server.getsockname()[1])
                thread.join()
                self.assert_refused(result, why)

    def test_settings_that_cannot_be_asked(self):
        self.assert_refused(check(0), "port 0")
        self.assertEqual(run_once("--healthcheck", "--admin-listen", "nonsense").returncode, 2)


class Sleep(unittest.TestCase):
    def test_it_waits_and_ends_whatever_the_other_settings_are(self):
        result = run_once("--sleep", "1", env={"WEIR_LISTEN": "0.0.0.0:0"})
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))


if __name__ == "__main__":
    unittest.main()
