// Names into addresses, many at once (c-ares): A, AAAA, and whether there are HTTPS records (RFC 9460).
#pragma once

#include <cstddef>
#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ip_address.h"
#include "report/problem.h"

namespace weir::probe::targets {

struct Resolved {
  std::vector<IpAddress> addresses;
  bool https_record = false;
  std::string problem;  ///< where there is no address: why
};

struct ResolverSettings {
  std::optional<std::string> server;  ///< ADDRESS or ADDRESS:PORT; else the system's
  int timeout_ms = 2'000;             ///< of a try
  int silence_ms = 4'000;             ///< without any server's first answer: then none is waited for
  int tries = 3;
};

inline constexpr std::size_t kOpenNames = 64;      ///< asked for at once
inline constexpr std::size_t kMostAddresses = 64;  ///< of a name; more are left out

/// In the order of the names. Those that the hosts file has are asked of no server, nor is localhost (RFC 6761 section 6.3). `stop` is asked between answers:
/// true ends it, and what is open has a problem.
std::expected<std::vector<Resolved>, report::Problem> resolve(std::span<const std::string> names, const ResolverSettings& settings,
                                                              const std::function<bool()>& stop);

}  // namespace weir::probe::targets
