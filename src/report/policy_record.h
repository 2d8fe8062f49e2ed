// A decision of the gateway, as the log has it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/endpoints.h"
#include "base/raw_packet.h"

namespace weir::report {

/// CONTRACT.md, `mptcp_policy`.
struct PolicyRecord {
  TimeNs time_ns = 0;
  Endpoints endpoints;  ///< client to server, of the first subflow; of a refused JOIN: its SYN's
  std::string id;       ///< mptcp.id; empty: it may still change, as at a first SYN
  std::string_view action;
  std::string rule, reason;
};

}  // namespace weir::report
