"""Namespaces whose names carry the process that they belong to: weir, its number, a letter for the host."""
import contextlib
import ctypes
import os
import re
import subprocess

NAME = re.compile(r"weir(\d+)([a-z])")
CLONE_NEWNET = 0x40000000


def missing():
    """Why no network can be made here; nothing if one can."""
    if os.geteuid() != 0:
        return "namespaces need root"
    probe = f"weirprobe{os.getpid()}"
    try:
        if subprocess.run(["ip", "netns", "add", probe], capture_output=True).returncode != 0:
            return "no namespace can be made here"
    except FileNotFoundError:
        return "there is no ip (package iproute2)"
    have = subprocess.run(["ip", "netns", "exec", probe, "sysctl", "-n", "net.mptcp.enabled"], capture_output=True, text=True)
    subprocess.run(["ip", "netns", "del", probe], check=True)
    return None if have.stdout.strip() == "1" else "this kernel has no MPTCP"


def name(owner, letter):
    return f"weir{owner}{letter}"


def existing():
    """All of ours: name -> owner."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    return {line.split()[0]: int(match[1]) for line in listed.splitlines() if (match := NAME.fullmatch(line.split()[0]))}


def stale():
    """Those whose process is gone: a run was killed."""
    return sorted(one for one, owner in existing().items() if not alive(owner))


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def remove(namespace):
    """With the processes that are still in it; a namespace lives as long as one of them."""
    inside = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True)
    for process in inside.stdout.split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(process), 9)
    subprocess.run(["ip", "netns", "del", namespace], capture_output=True)


@contextlib.contextmanager
def inside(namespace):
    """This thread is in there meanwhile: sockets that it opens stay there."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(file):
        if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"namespace {namespace}")

    with open("/proc/thread-self/ns/net") as here, open(f"/run/netns/{namespace}") as there:
        enter(there)
        try:
            yield
        finally:
            enter(here)
