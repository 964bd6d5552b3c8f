"""What the tests of scripts/ share."""
import pathlib
import subprocess
import sys

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))


def run(script, *arguments, **options):
    """Runs a Python program of scripts/: its exit code, standard output and standard error."""
    return subprocess.run([sys.executable, SCRIPTS / script, *arguments], capture_output=True, text=True, **options)


def write_files(root, files):
    """Makes a tree of files: name -> text."""
    for name, text in files.items():
        path = pathlib.Path(root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
