"""The lab's networks, under the name that the tests here know them by."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from lab.network import MPTCP, Network, missing  # noqa: E402, F401
