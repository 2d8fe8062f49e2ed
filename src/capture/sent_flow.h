// The addresses that a packet was sent with, before the machine's own NAT has changed them: as conntrack remembers them.
#pragma once

#include <cstdint>
#include <optional>

#include "base/endpoints.h"

struct nlattr;

namespace weir::capture {

/// `conntrack`, `info`: what the kernel says of a queued packet's flow (NFQA_CT, NFQA_CT_INFO). none: not of TCP, or not whole.
std::optional<Endpoints> sent_flow(const nlattr* conntrack, std::uint32_t info);

}  // namespace weir::capture
