// The kernel's own counters of MPTCP (/proc/net/netstat). Parsing is pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::probe::connect {

/// The value of a counter, as "MPCapableSYNTXDisabled", in the lines that begin with "MPTcpExt:"; none: it is not there.
std::optional<std::uint64_t> mptcp_counter(std::string_view netstat, std::string_view name);

/// SYNs that went without MPTCP because the kernel has turned it off for the whole host (net.mptcp.blackhole_timeout); none: this kernel does not tell.
std::optional<std::uint64_t> disabled_syns();

}  // namespace weir::probe::connect
