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
  Endpoints endpoints;  ///< client to server; of a refused subflow: its own
  std::string id;       ///< mptcp.id, once it is known
  std::string_view action;
  std::string rule, reason;
};

}  // namespace weir::report
