"""Create a virtual environment with pip, or report why that is not possible.

Runs on any python3, so it must parse on old interpreters (no f-strings, no annotations) up to the line that refuses
them. The standard `python3 -m venv` needs ensurepip, which Debian and Ubuntu ship in a separate package; if it is
missing, the interpreter's own pip, or one on PATH, installs pip into the environment.

Usage: python3 tools/make_venv.py DIRECTORY
"""

import os
import shutil
import subprocess
import sys
import tempfile

OLDEST = (3, 11)


def refuse_old_python():
    if sys.version_info[:2] < OLDEST:
        sys.exit(
            "error: Python {0}.{1} or newer is needed, found Python {2}.{3}.{4} at {5}.\n"
            "       Name another one with: make PYTHON=/path/to/python3.11 ...".format(
                *(OLDEST + tuple(sys.version_info[:3]) + (sys.executable,))
            )
        )


def has_ensurepip():
    try:
        import ensurepip  # noqa: F401  (Debian leaves out either this module or the wheels it needs)
    except ImportError:
        return False
    return True


def works(python):
    """Whether the environment's interpreter starts, is the one that runs this script, and has pip."""
    probe = "import pip, sys; print(sys.base_prefix, sys.version)"
    try:
        answer = subprocess.check_output([python, "-c", probe], stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return False
    return answer.decode().strip() == "{0} {1}".format(sys.base_prefix, sys.version)


def attempts(python, scratch):
    """Return ways to install pip into an environment without ensurepip, best first: (command, extra env) each."""
    yield [([sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "pip"], {})]
    # A pip older than 22.3 has no --python: it fetches a current pip, which then installs itself.
    yield [
        ([sys.executable, "-m", "pip", "install", "--quiet", "--target", scratch, "pip"], {}),
        ([python, "-m", "pip", "install", "--quiet", "pip"], {"PYTHONPATH": scratch}),
    ]
    for name in ("pip3", "pip"):
        pip = shutil.which(name)
        if pip:  # it may belong to another interpreter; the environment's own is used
            yield [([pip, "--python", python, "install", "--quiet", "pip"], {})]
    virtualenv = shutil.which("virtualenv")
    if virtualenv:
        directory = os.path.dirname(os.path.dirname(python))
        yield [([virtualenv, "--quiet", "--python", sys.executable, directory], {})]


def main(directory):
    refuse_old_python()
    python = os.path.join(directory, "bin", "python")
    if works(python):
        return
    if os.path.lexists(directory):
        shutil.rmtree(directory)  # incomplete, or its interpreter is gone
    if has_ensurepip() and subprocess.call([sys.executable, "-m", "venv", directory]) == 0 and works(python):
        return
    subprocess.check_call([sys.executable, "-m", "venv", "--clear", "--without-pip", directory])
    # The user's pip settings that would break this installation.
    environment = dict(os.environ, PIP_REQUIRE_VIRTUALENV="0", PIP_USER="0")
    with tempfile.TemporaryDirectory() as scratch:
        for steps in attempts(python, scratch):
            if all(subprocess.call(step, env=dict(environment, **extra)) == 0 for step, extra in steps):
                if works(python):
                    return
    sys.exit(
        "error: could not get pip into {0}: {1} has neither ensurepip nor a pip that works.\n"
        "       Install pip for it (Debian and Ubuntu: apt install python3-venv python3-pip).".format(
            directory, sys.executable
        )
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make_venv.py DIRECTORY")
    main(sys.argv[1])
