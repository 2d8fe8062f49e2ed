"""TCP/IP packets and MPTCP options, to octets and back."""
