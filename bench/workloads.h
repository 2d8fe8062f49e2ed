// What the benchmark measures on: every capture is a function of its parameters alone.
#pragma once

#include <cstdint>

#include "tcp_writer.h"

namespace weir::bench {

/// MPTCP downloads one after the other, each over `subflows` subflows that send in turn, segment by segment, with mappings of
/// ten segments: at connection level most of it comes out of order. An ACK with a DATA_ACK for every two segments.
void bulk_mptcp(TcpWriter& out, std::uint64_t bytes, unsigned subflows, std::uint64_t connection_bytes);

/// The same over two subflows with mappings of one segment; in every block of `depth` segments their order is random.
void reordered_mptcp(TcpWriter& out, std::uint64_t bytes, std::uint64_t depth);

/// Plain TCP downloads, `flows` at once, taking turns of eight segments; an ACK for every two segments.
void bulk_plain(TcpWriter& out, std::uint64_t bytes, std::uint64_t flows);

/// `connections` MPTCP connections of one subflow, all at once, taking turns packet by packet: the worst that a flow table can
/// meet. None is closed. At least `packets` packets.
void concurrent_mptcp(TcpWriter& out, std::uint64_t connections, std::uint64_t packets);

/// `connections` MPTCP connections of one subflow that exchange a request and an answer one after the other, and then stay open, idle.
void idle_mptcp(TcpWriter& out, std::uint64_t connections);

/// About `packets` packets of `connections` MPTCP connections of 1 to 4 subflows, some thousands at once, short and long ones;
/// one of eight is never closed.
void mixed_mptcp(TcpWriter& out, std::uint64_t packets, std::uint64_t connections);

}  // namespace weir::bench
