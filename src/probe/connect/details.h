// What the kernel told about a connection that it made: of an MPTCP socket, after the handshake and a moment of grace. A value.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir::probe::connect {

struct Details {
  bool connected = false;
  bool fallback = false;                 ///< the kernel went on as plain TCP
  bool remote_key = false;               ///< MPTCP_INFO: the server's key has come
  std::uint8_t subflows = 0;             ///< beyond the first, after the grace time
  std::uint8_t addresses_signalled = 0;  ///< by the server (ADD_ADDR)
  std::uint32_t retransmits = 0;         ///< of the SYN
  std::string_view why;                  ///< of an `inconclusive`: a word of docs/PROBE.md
  int error = 0;                         ///< errno of the connection's attempt; 0: none
};

}  // namespace weir::probe::connect
