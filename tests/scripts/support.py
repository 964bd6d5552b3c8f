"""What the tests of scripts/ share."""
import os
import pathlib
import subprocess
import sys

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))

# The repositories that tests make know nothing of the one around them, nor of the user's configuration.
for name in [name for name in os.environ if name.startswith("GIT_")]:
    del os.environ[name]
os.environ["GIT_CONFIG_GLOBAL"] = os.devnull


def run(script, *arguments, **options):
    """Runs a Python program of scripts/: its exit code, standard output and standard error."""
    return subprocess.run([sys.executable, SCRIPTS / script, *arguments], capture_output=True, text=True, **options)


def write_files(root, files):
    """Makes a tree of files: name -> text."""
    for name, text in files.items():
        path = pathlib.Path(root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
