#include "wire/decode_error.h"

namespace weir::wire {

const char* decode_event_name(DecodeError error, std::uint8_t ip_version) {
  const bool v6 = ip_version == 6;
  switch (error) {
    case DecodeError::kNone:
      return "decoder.none";
    case DecodeError::kLinkTruncated:
      return "decoder.ethernet.pkt_too_small";
    case DecodeError::kLinkUnsupported:
      return "decoder.link.unsupported_type";  // ours
    case DecodeError::kVlanTruncated:
      return "decoder.vlan.header_too_small";
    case DecodeError::kMplsTruncated:
      return "decoder.mpls.header_too_small";
    case DecodeError::kPppoeTruncated:
      return "decoder.pppoe.pkt_too_small";
    case DecodeError::kPppTruncated:
      return "decoder.ppp.pkt_too_small";
    case DecodeError::kTooManyLayers:
      return "decoder.too_many_layers";
    case DecodeError::kIpv4Truncated:
      return "decoder.ipv4.trunc_pkt";
    case DecodeError::kIpv4HeaderTooSmall:
      return "decoder.ipv4.hlen_too_small";
    case DecodeError::kIpv4LengthTooSmall:
      return "decoder.ipv4.iplen_smaller_than_hlen";
    case DecodeError::kIpv4BadVersion:
      return "decoder.ipv4.wrong_ip_version";
    case DecodeError::kIpv4BadChecksum:
      return "decoder.ipv4.bad_checksum";  // ours: Suricata counts it and has no event
    case DecodeError::kIpv6Truncated:
      return "decoder.ipv6.trunc_pkt";
    case DecodeError::kIpv6BadVersion:
      return "decoder.ipv6.wrong_ip_version";
    case DecodeError::kIpv6ExtensionTruncated:
      return "decoder.ipv6.trunc_exthdr";
    case DecodeError::kTcpTruncated:
      return "decoder.tcp.pkt_too_small";
    case DecodeError::kTcpHeaderTooSmall:
      return "decoder.tcp.hlen_too_small";
    case DecodeError::kTcpInvalidOptionLength:
      return "decoder.tcp.invalid_optlen";
    case DecodeError::kGreTruncated:
      return "decoder.gre.pkt_too_small";
    case DecodeError::kGreBadVersion:
      return "decoder.gre.wrong_version";
    case DecodeError::kVxlanTruncated:
      return "decoder.vxlan.unknown_payload_type";
    case DecodeError::kGeneveTruncated:
      return "decoder.geneve.unknown_payload_type";
    case DecodeError::kGtpTruncated:
      return "decoder.gtp.pkt_too_small";  // ours
    case DecodeError::kFragmentTooLarge:
      return v6 ? "decoder.ipv6.frag_pkt_too_large" : "decoder.ipv4.frag_pkt_too_large";
    case DecodeError::kFragmentOverlap:
      return v6 ? "decoder.ipv6.frag_overlap" : "decoder.ipv4.frag_overlap";
    case DecodeError::kFragmentTooSmall:
      return v6 ? "decoder.ipv6.frag_too_small" : "decoder.ipv4.frag_too_small";  // ours
    case DecodeError::kFragmentBadLength:
      return v6 ? "decoder.ipv6.frag_invalid_length" : "decoder.ipv4.frag_invalid_length";  // Suricata's later name
  }
  return "decoder.none";
}

}  // namespace weir::wire
