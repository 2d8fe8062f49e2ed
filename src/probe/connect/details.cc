#include "probe/connect/details.h"

#include <cerrno>

namespace weir::probe::connect {

Verdict judge(Details& details) {
  if (details.connected && !details.fallback) return Verdict::kV1;
  if (details.connected) {
    if (details.retransmits == 0) return Verdict::kTcpOnly;
    details.why = "syn_lost";
    return Verdict::kInconclusive;
  }
  switch (details.error) {
    case ECONNREFUSED:
      return Verdict::kClosed;
    case 0:
    case ETIMEDOUT:
      return Verdict::kTimeout;
    case EHOSTUNREACH:
    case ENETUNREACH:
      details.why = "no_route";
      return Verdict::kInconclusive;
    default:
      details.why = "error";
      return Verdict::kInconclusive;
  }
}

}  // namespace weir::probe::connect
