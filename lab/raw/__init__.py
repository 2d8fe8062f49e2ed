"""A small MPTCP host on raw sockets, for what kernels will not do on demand."""
