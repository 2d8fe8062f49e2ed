// What is known of a connection at its first SYN, for policy to decide on.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/endpoints.h"
#include "inspect/anomaly.h"

namespace weir::decide {

/// As gateway.inside has it: outbound from an inside client to another server, inbound the other way; internal: both inside, external: neither.
enum class FlowDirection : std::uint8_t { kOutbound, kInbound, kInternal, kExternal };
std::string_view name_of(FlowDirection direction);

/// Local time of the machine, as rules with a time or weekday mean it.
struct LocalTime {
  std::uint8_t weekday = 0;  ///< 0: Monday, 6: Sunday
  std::uint16_t minute = 0;  ///< of the day, 0 to 1439
};

enum class Known : std::uint8_t { kUnasked, kNew, kKnown };  ///< unasked: there is no inventory

using EventSet = std::uint64_t;
constexpr EventSet bit_of(inspect::Event event) { return EventSet{1} << static_cast<unsigned>(event); }
static_assert(static_cast<unsigned>(inspect::Event::kCount) <= 64);

/// Views of what the caller has; used while it decides, and not kept.
struct Facts {
  Endpoints connection;                          ///< client to server
  std::string_view interface_in, interface_out;  ///< of the client's SYN; empty: unknown
  std::optional<std::uint8_t> version;           ///< offered in MP_CAPABLE
  std::span<const std::string> names;            ///< what the client calls the server, in lower case
  std::optional<LocalTime> time;
  EventSet anomalies = 0;           ///< raised lately by its client
  Known client = Known::kUnasked;   ///< in the inventory
  Known service = Known::kUnasked;  ///< server's address and port, there
};

}  // namespace weir::decide
