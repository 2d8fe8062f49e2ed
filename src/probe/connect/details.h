// What the kernel told about a connection that it made: of an MPTCP socket, after the handshake and a moment of grace. Values.
#pragma once

#include <cstdint>
#include <string_view>

#include "probe/verdict.h"

namespace weir::probe::connect {

struct Details {
  bool connected = false;
  bool fallback = false;                ///< the kernel went on as plain TCP
  bool remote_key = false;              ///< MPTCP_INFO: the server's key has come
  std::uint8_t subflows = 0;            ///< beyond the first, after the grace time
  std::uint8_t addresses_accepted = 0;  ///< of those that the server signalled (ADD_ADDR)
  std::uint32_t retransmits = 0;        ///< of the SYN
  std::string_view why;                 ///< of an `inconclusive`: a word of docs/PROBE.md
  int error = 0;                        ///< errno of the attempt; 0: none
};

/// What a connection's end says. A fallback counts as `tcp_only` only if no SYN was lost: Linux leaves MPTCP out of later ones. Sets `why`.
Verdict judge(Details& details);

}  // namespace weir::probe::connect
