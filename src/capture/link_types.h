// The number that a capture file gives its link type (LINKTYPE_* of pcap-linktype(7), or a DLT_* that old systems wrote) -> LinkType.
#pragma once

#include <cstdint>

#include "base/raw_packet.h"

namespace weir::capture {

constexpr LinkType link_type_of(std::uint32_t number) {
  switch (number) {
    case 0:
      return LinkType::kNull;
    case 1:
      return LinkType::kEthernet;
    case 9:
      return LinkType::kPpp;
    case 12:   // DLT_RAW of most systems
    case 14:   // DLT_RAW of OpenBSD
    case 101:  // LINKTYPE_RAW
      return LinkType::kRaw;
    case 50:
      return LinkType::kPppHdlc;
    case 51:
      return LinkType::kPppEther;
    case 108:
      return LinkType::kLoop;
    case 113:
      return LinkType::kLinuxSll;
    case 228:
      return LinkType::kIpv4;
    case 229:
      return LinkType::kIpv6;
    case 276:
      return LinkType::kLinuxSll2;
    default:
      return LinkType::kUnsupported;
  }
}

}  // namespace weir::capture
