"""Fork jobs from one process that has loaded the libraries: importing them takes longer than most short jobs.

A run on one machine starts the server. A job connects to it, passes its script, working folder, environment and output
streams, and waits while a fork of the server runs the script. Without a server, or before it is ready, the job runs by
itself. If a job is killed, its fork ends; if the run ends, the server ends. `KALEMIA_JOB_SERVER=off` in the environment
switches it off.
"""

import hashlib
import importlib
import json
import os
import pkgutil
import runpy
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path

ADDRESS = "KALEMIA_JOB_SERVER"  # environment variable: the path of the server's socket, or "off"
_STREAMS = (0, 1, 2)
_SIZE_BYTES = 8
# what kalemia's modules import in functions only, because not every job needs it
_MORE_MODULES = ("scipy.stats", "wfdb", "matplotlib.backends.backend_svg")


def start_server(*more_modules: str) -> None:
    """Start a server for the jobs of this process, unless the environment already says where one is or "off".

    On Linux only: elsewhere forking a process with loaded libraries is not safe.
    """
    if sys.platform != "linux" or ADDRESS in os.environ:
        return
    address = str(Path(tempfile.mkdtemp(prefix=_folder_prefix())) / "jobs")  # only this user can enter the folder
    python = shlex.split(sys.executable)[0]  # the Snakefile quotes a path with a space
    command = [python, "-m", __name__, address, str(os.getpid()), *more_modules]
    # one thread a library: a fork has no other threads than the one that forked
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    os.environ[ADDRESS] = address


def run_in_server() -> None:
    """Run this script in a fork of the server and exit with its status; return if there is no server for it.

    The server takes jobs of one thread, because it loaded its libraries for one, and of its own interpreter: a job in a
    conda environment has another.
    """
    address = os.environ.get(ADDRESS, "off")
    if os.environ.get("OMP_NUM_THREADS") != "1" or not Path(address).parent.name.startswith(_folder_prefix()):
        return
    environment = {name: value for name, value in os.environ.items() if name != ADDRESS}
    request = json.dumps({"script": sys.argv[0], "folder": os.getcwd(), "environment": environment}).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(address)
            socket.send_fds(connection, [len(request).to_bytes(_SIZE_BYTES)], _STREAMS)
            connection.sendall(request)
            is_taken = connection.recv(1)
        except OSError:
            return
        if not is_taken:  # the server was killed before it forked
            return
        status = connection.recv(1)
    if not status:
        print("kalemia: the process of this job was killed", file=sys.stderr)
    sys.exit(status[0] if status else 1)


def serve(address: str, parent: int, modules: tuple[str, ...]) -> None:
    """Load `modules`, then fork a process for each job that connects, until `parent`, which started this one, ends.

    A `parent` that was killed before this process could ask for its number would never be missed, so it is given.
    """
    for module in modules:
        importlib.import_module(module)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for forks
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        listener.settimeout(0.5)
        while os.getppid() == parent:
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            if os.fork() == 0:
                listener.close()
                _run(connection)
            connection.close()
    os.unlink(address)
    os.rmdir(Path(address).parent)


def _run(connection: socket.socket) -> None:
    """Run the script that a job hands over; ends this process."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    connection.settimeout(None)
    size, streams, _, _ = socket.recv_fds(connection, _SIZE_BYTES, len(_STREAMS))
    request = json.loads(connection.recv(int.from_bytes(size), socket.MSG_WAITALL))
    connection.send(b"+")
    for stream, number in zip(streams, _STREAMS, strict=True):
        os.dup2(stream, number)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = [request["script"]]
    threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
    status = _status_of(request["script"])
    sys.stdout.flush()
    sys.stderr.flush()
    connection.send(bytes([status]))
    os._exit(0)


def _status_of(script: str) -> int:
    """The exit status of a script."""
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as error:
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _end_with(connection: socket.socket) -> None:
    """End this process once nobody waits for it: the job that handed over its script was killed."""
    if not connection.recv(1):
        os._exit(1)


def _folder_prefix() -> str:
    """The start of the name of the socket's folder, which names the interpreter."""
    return f"kalemia-{hashlib.sha256(sys.prefix.encode()).hexdigest()[:8]}-"


def _modules() -> list[str]:
    """Every module that a job may import."""
    package = importlib.import_module("kalemia")
    names = [module.name for module in pkgutil.walk_packages(package.__path__, "kalemia.")]
    return [name for name in names if ".gpu" not in name and name != __name__]


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), (*sys.argv[3:], *_MORE_MODULES, *_modules()))
