// The TCP header into a TcpSegment: in a header of its own so that the decoder's fast path has it inline.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "wire/decode_error.h"
#include "wire/tcp.h"

namespace weir::wire {

inline constexpr std::size_t kTcpHeader = 20;

/// Fills the option fields of `out` from `out.options`, which the caller has set. They must be in their default state.
void read_tcp_options(TcpSegment& out);

/// Cuts what the snap length left of an option space down to its last whole option.
Bytes whole_tcp_options(Bytes captured);

/// Parses a TCP segment. `captured` may be shorter than `wire_bytes`, its length on the wire, where the snap length cut it.
/// Every field of `out` is set, or the reason why not is given.
inline DecodeError parse_tcp(Bytes captured, std::uint32_t wire_bytes, TcpSegment& out) {
  const auto fields = fixed<kTcpHeader>(captured);
  if (!fields) return DecodeError::kTcpTruncated;
  const std::size_t header_bytes = (u8_at<12>(*fields) >> 4U) * std::size_t{4};
  // The two names as Suricata gives them: a header longer than its segment, and a data offset below 5 (RFC 9293 §3.1).
  if (header_bytes > wire_bytes) return DecodeError::kTcpHeaderTooSmall;
  if (header_bytes < kTcpHeader) return DecodeError::kTcpInvalidOptionLength;

  out.src_port = u16_at<0>(*fields);
  out.dst_port = u16_at<2>(*fields);
  out.seq = SeqNum{u32_at<4>(*fields)};
  out.ack = SeqNum{u32_at<8>(*fields)};
  out.flags = TcpFlags{u8_at<13>(*fields)};
  out.window = u16_at<14>(*fields);
  out.checksum = u16_at<16>(*fields);
  out.payload_bytes = wire_bytes - static_cast<std::uint32_t>(header_bytes);
  out.has_timestamp = false;
  out.has_mptcp = false;
  out.options_broken = false;
  out.ts_value = 0;
  out.ts_echo = 0;
  out.mss.reset();
  out.window_scale.reset();
  out.sack_permitted = false;

  if (captured.size() < header_bytes) [[unlikely]] {
    // Cut within the options by the snap length: that is no fault of the sender's, so what is left must not look broken.
    out.header = captured;
    out.options = whole_tcp_options(captured.subspan(kTcpHeader));
    out.payload = {};
  } else {
    out.header = captured.first(header_bytes);
    out.options = out.header.subspan(kTcpHeader);
    out.payload = captured.subspan(header_bytes);
  }
  if (out.options.empty()) return DecodeError::kNone;

  // RFC 7323 appendix A: NOP NOP TIMESTAMP, which nearly every segment of a connection has, and nothing else.
  constexpr std::uint32_t kNopNopTimestamp = 0x0101080a;
  const auto aligned = fixed<12>(out.options);
  if (out.options.size() == 12 && aligned && u32_at<0>(*aligned) == kNopNopTimestamp) {
    out.has_timestamp = true;
    out.ts_value = u32_at<4>(*aligned);
    out.ts_echo = u32_at<8>(*aligned);
    return DecodeError::kNone;
  }
  read_tcp_options(out);
  return DecodeError::kNone;
}

}  // namespace weir::wire
