// Why a packet could not be decoded.
#pragma once

#include <cstdint>

namespace weir::wire {

/// Closed.
enum class DecodeError : std::uint8_t {
  kNone,
  kLinkTruncated,
  kLinkUnsupported,
  kVlanTruncated,
  kMplsTruncated,
  kPppoeTruncated,
  kPppTruncated,
  kTooManyLayers,
  kIpv4Truncated,
  kIpv4HeaderTooSmall,
  kIpv4LengthTooSmall,
  kIpv4BadVersion,
  kIpv4BadChecksum,
  kIpv6Truncated,
  kIpv6BadVersion,
  kIpv6ExtensionTruncated,
  kTcpTruncated,
  kTcpHeaderTooSmall,
  kTcpInvalidOptionLength,
  kGreTruncated,
  kGreBadVersion,
  kVxlanTruncated,
  kGeneveTruncated,
  kGtpTruncated,
  kFragmentTooLarge,
  kFragmentOverlap,
  kFragmentTooSmall,
  kFragmentBadLength,
};
/// The name for the log: Suricata's ("decoder.ipv4.trunc_pkt"), or one in its manner where it has none. Fragments have a name
/// for each IP version.
const char* decode_event_name(DecodeError error, std::uint8_t ip_version = 4);

}  // namespace weir::wire
