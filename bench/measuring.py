"""One measurement: a server, started for it alone, and weir-load beside it."""
import json
import os
import pathlib
import platform
import statistics
import subprocess
import tempfile
import time

import servers


class Case:
    """What weir-load does, and which numbers of its report are shown: rows of (title, path, format, factor).

    `seconds_min`: what a shorter run would not show.
    """

    def __init__(self, title, rows, measured, *flags, warm_up=1, publishes=True, seconds_min=1):
        self.title, self.rows, self.measured, self.flags = title, rows, measured, flags
        self.warm_up, self.publishes, self.seconds_min = warm_up, publishes, seconds_min


RATE = ("deliveries/s", ("deliveries_per_second",), "{:,.0f} k", 1e-3)
CPU = ("server CPU per delivery", ("server_cpu_us_per_delivery",), "{:.2f} µs", 1)
P50 = ("p50", ("latency", "p50_ms"), "{:.1f} ms", 1)
P99 = ("p99", ("latency", "p99_ms"), "{:.1f} ms", 1)
MEMORY = ("memory per connection", ("memory_bytes_per_connection",), "{:.2f} KB", 1e-3)
GROWTH = ("memory growth", ("memory_growth_bytes",), "{:+.1f} MB", 1e-6)
CONNECT = ("connect", ("connect_seconds",), "{:.2f} s", 1)


def measure(case, name, seconds):
    """One run: weir-load's report, with "error" in it if something went wrong."""
    with tempfile.TemporaryDirectory(prefix="weir-bench.") as folder:
        os.chmod(folder, 0o755)
        try:
            server = servers.SERVERS[name](pathlib.Path(folder))
        except (OSError, RuntimeError) as error:
            return {"error": str(error)}
        try:
            # One receiving thread is slower than the servers, and would be what is measured.
            command = [servers.BIN / "weir-load", "--subscribe", server.subscribe, *case.flags,
                       f"--receivers={os.cpu_count()}", f"--seconds={max(seconds, case.seconds_min)}",
                       f"--warm-up-seconds={case.warm_up}",
                       *(f"--server-pid={pid}" for pid in server.pids), f"--publish-connections={server.publish_connections}"]
            if case.publishes:
                command += ["--publish", server.publish]
            ran = subprocess.run(command, capture_output=True, text=True, timeout=300)
            try:
                return json.loads(ran.stdout)
            except ValueError:
                return {"error": ran.stderr.strip()[-300:] or f"weir-load ended with {ran.returncode}"}
        except subprocess.TimeoutExpired:
            return {"error": "no end after 300 s"}
        finally:
            server.stop()


def measure_all(cases, chosen, repetitions, seconds, file=None):
    """All cases with all chosen servers, interleaved: {"date": …, "cases": {case: {server: [report, …]}}}.

    `file` has as JSON what has been measured so far, at any time.
    """
    results = {"date": time.strftime("%Y-%m-%d", time.gmtime()), "repetitions": repetitions, "seconds": seconds,
               "machine": f"{os.cpu_count()} cores, Linux {platform.release().split('-')[0]}",
               "versions": {name: servers.version_of(name) for name in chosen}, "cases": {}}
    for repetition in range(repetitions):
        for key, case in cases.items():
            names = [name for name in case.measured if name in chosen]
            # Each goes first once: what slows down over a run slows down all of them.
            for name in names[repetition % max(1, len(names)):] + names[:repetition % max(1, len(names))]:
                report = measure(case, name, seconds)
                results["cases"].setdefault(key, {}).setdefault(name, []).append(report)
                if file:
                    file.write_text(json.dumps(results, indent=1) + "\n")
                shown = value_of(report, case.rows[0][1])
                print(f"{repetition + 1} {key:16} {name:12} "
                      + (report.get("error", "")[:100] or case.rows[0][2].format(shown * case.rows[0][3])), flush=True)
    return results


def value_of(report, path):
    for key in path:
        report = report.get(key) if isinstance(report, dict) else None
    return report


def median(reports, path):
    """The median over the runs that ended well; None if there is none."""
    values = [value_of(report, path) for report in reports if "error" not in report]
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def pyplot():
    """Draws SVG files that are the same for the same numbers."""
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "weir", "font.size": 8, "axes.spines.top": False,
                                "axes.spines.right": False})
    from matplotlib import pyplot as plot
    return plot


def save(figure, file):
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
