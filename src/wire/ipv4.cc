#include "wire/ipv4.h"

namespace weir::wire {

Layer ipv4(Unwrap& u) {
  Ipv4Lengths lengths;
  if (const DecodeError error = check_ipv4(u.bytes, u.wire_bytes, lengths); error != DecodeError::kNone) return u.fail(error);
  const auto fields = fixed<kIpv4Header>(u.bytes);
  if (!fields) return u.fail(DecodeError::kIpv4Truncated);
  Decoded& out = u.out;
  u.cut(lengths.total);
  tell_ipv4(u.bytes, lengths.total, out);
  u.prove_tunnel();
  u.skip(lengths.header);

  const std::uint16_t fragment = u16_at<6>(*fields);
  if ((fragment & (kIpv4MoreFragments | kIpv4FragmentOffset)) == 0) return Layer::kTransport;
  out.fragment = FragmentInfo{
      .id = out.ip_id,
      .offset_bytes = (fragment & kIpv4FragmentOffset) * 8U,
      .more = (fragment & kIpv4MoreFragments) != 0,
      .protocol = out.protocol,
      .payload = u.bytes,
      .payload_bytes = u.wire_bytes,
      .header = out.ip.first(lengths.header),
      .next_header_offset = 0,
  };
  return u.done(Kind::kFragment);
}

}  // namespace weir::wire
