// A packet as a capture point gave it: bytes, time, and where it was seen. Values only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace weir {

/// Packet time: nanoseconds since 1970-01-01 UTC.
using TimeNs = std::int64_t;

/// Identifies a capture point: a file, or an interface inside one. Dense, from 0, in order of the command line.
using PointId = std::uint16_t;

/// Link types that Weir reads (values are LINKTYPE_* of pcap-linktype(7); several map to one).
enum class LinkType : std::uint16_t {
  kNull = 0,
  kEthernet = 1,
  kPpp = 9,
  kRaw = 101,
  kLoop = 108,
  kLinuxSll = 113,
  kPppHdlc = 50,
  kPppEther = 51,
  kIpv4 = 228,
  kIpv6 = 229,
  kLinuxSll2 = 276,
  kUnsupported = 0xffff
};

struct RawPacket {
  std::span<const std::byte> bytes;  ///< captured octets, link header first
  std::uint32_t original_bytes = 0;  ///< length on the wire; more than bytes.size() if cut by the snap length
  TimeNs time_ns = 0;
  LinkType link = LinkType::kEthernet;
  PointId point = 0;
  bool stays = false;             ///< bytes remain valid until the input is closed (a mapped file): they may be kept by reference
  bool checksum_pending = false;  ///< a host's own hardware was to fill it in: the packet's checksums say nothing, and are trusted
};

}  // namespace weir
