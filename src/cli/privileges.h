// What a service may do once it runs: as little as it needs.
#pragma once

#include <expected>
#include <string>

#include "report/problem.h"

namespace weir::cli {

struct PrivilegeSettings {
  std::string user;       ///< to go on as, when started as root; empty: "weir" if there is such a user, else root
  bool configures_links;  ///< CAP_NET_ADMIN stays: an interface of its own is looked after
};

/// Goes on as that user, keeps of all capabilities CAP_NET_RAW (an interface that comes back is opened again), gives up gaining any, and has the
/// kernel refuse system calls that a sensor never makes (EPERM). To be called before there are other threads, and before files are opened:
/// what it may not open later, it may not open at the start either. The name of the user that it became, empty if it stayed who it was.
std::expected<std::string, report::Problem> drop_privileges(const PrivilegeSettings& settings);

}  // namespace weir::cli
