// MPTCP v1 connections, octet by octet as Linux sends them: options, their order and their sizes.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "tcp_writer.h"

namespace weir::bench {

/// With an MTU of 1500 and timestamps, a segment with a DSS of Linux has room for this much; plain TCP for 1448.
inline constexpr std::size_t kMptcpPayload = 1'424, kPlainPayload = 1'448;

struct DataMapping {
  std::uint64_t dsn = 0;
  std::uint32_t position = 0;  ///< of its first octet, in the subflow
  std::uint16_t length = 0;
};

/// Purpose: one connection of the client (0) with the server (1) over some subflows, all opened by the client.
/// Small on purpose: a million of them exist at once.
class MptcpConnection {
 public:
  MptcpConnection(std::uint64_t number, unsigned subflows);

  unsigned subflows() const { return static_cast<unsigned>(flows_.size()); }
  /// Steps 0 to 2 (of the first subflow), or to 3 (of the others: their fourth ACK).
  static unsigned handshake_steps(unsigned subflow) { return subflow == 0 ? 3 : 4; }
  void handshake(TcpWriter& out, unsigned subflow, unsigned step);

  DataMapping map(unsigned subflow, unsigned from, std::uint32_t length);
  /// Part of a mapping, from `offset` on. The client's first segment of all carries MP_CAPABLE.
  void send(TcpWriter& out, unsigned subflow, unsigned from, const DataMapping& mapping, std::uint32_t offset, const Payload& payload);
  void acknowledge(TcpWriter& out, unsigned subflow, unsigned from, std::uint32_t position, std::uint64_t dsn);
  /// Acknowledges everything sent on the subflow, and at connection level.
  void acknowledge(TcpWriter& out, unsigned subflow, unsigned from);
  /// DATA_FIN both ways, then FINs on every subflow.
  void close(TcpWriter& out);

 private:
  void data_fin(TcpWriter& out, unsigned from);
  std::uint64_t first_dsn(unsigned from) const { return idsn_[from] + 1; }

  std::array<std::uint64_t, 2> key_, idsn_, next_dsn_;
  std::array<std::uint32_t, 2> token_;
  std::vector<Flow> flows_;
  std::array<std::uint32_t, 2> nonce_;
  bool told_keys_ = false;
};

}  // namespace weir::bench
