#include "wire/tcp.h"

#include <algorithm>

#include "wire/tcp_parse.h"

namespace weir::wire {
namespace {

// Kinds and lengths: RFC 9293 §3.2, RFC 7323 §2.2 and §3.2, RFC 2018 §2, RFC 8684 §3.
constexpr std::uint8_t kEndOfList = 0;
constexpr std::uint8_t kNoOperation = 1;
constexpr std::uint8_t kMss = 2;
constexpr std::uint8_t kWindowScale = 3;
constexpr std::uint8_t kSackPermitted = 4;
constexpr std::uint8_t kTimestamp = 8;
constexpr std::uint8_t kMptcp = 30;
constexpr std::uint8_t kMaxWindowScale = 14;

enum class Step : std::uint8_t { kOption, kEnd, kBroken };

/// Takes the next option off `rest`, no-operations before it included. kBroken: `option` is what is left of it.
Step next_option(Bytes& rest, Bytes& option) {
  for (;;) {
    ByteReader in(rest);
    const std::uint8_t kind = in.u8();
    if (!in.ok() || kind == kEndOfList) return Step::kEnd;
    if (kind == kNoOperation) {
      rest = in.rest();
      continue;
    }
    const std::size_t length = in.u8();
    // RFC 9293 §3.1 (MUST-68): an impossible length ends the walk, as it does at a receiver (Linux: tcp_parse_options).
    if (length < 2 || length > rest.size()) {
      option = rest;
      rest = {};
      return Step::kBroken;
    }
    option = rest.first(length);
    rest = rest.subspan(length);
    return Step::kOption;
  }
}

void read_option(Bytes option, TcpSegment& out) {
  ByteReader in(option);
  const std::uint8_t kind = in.u8();
  const std::uint8_t length = in.u8();
  // The handshake's options count on SYNs only (RFC 9293 §3.7.1, RFC 7323 §2.2, RFC 2018 §2). A length that is not the
  // kind's makes an option ignored, and of a repeated one the last counts: as Linux does both.
  switch (kind) {
    case kMss:
      if (length == 4 && out.flags.syn()) {
        const std::uint16_t mss = in.u16();
        if (mss != 0) out.mss = mss;
      }
      break;
    case kWindowScale:
      // RFC 7323 §2.3: a shift over 14 is taken as 14.
      if (length == 3 && out.flags.syn()) out.window_scale = std::min(in.u8(), kMaxWindowScale);
      break;
    case kSackPermitted:
      if (length == 2 && out.flags.syn()) out.sack_permitted = true;
      break;
    case kTimestamp:
      if (length == 10) {
        out.has_timestamp = true;
        out.ts_value = in.u32();
        out.ts_echo = in.u32();
      }
      break;
    case kMptcp:
      out.has_mptcp = true;
      break;
    default:
      break;
  }
}

std::uint8_t kind_of(Bytes option) { return ByteReader(option).u8(); }

}  // namespace

void read_tcp_options(TcpSegment& out) {
  Bytes rest = out.options;
  Bytes option;
  for (;;) {
    switch (next_option(rest, option)) {
      case Step::kOption:
        read_option(option, out);
        break;
      case Step::kBroken:
        out.options_broken = true;
        if (kind_of(option) == kMptcp) out.has_mptcp = true;
        return;
      case Step::kEnd:
        return;
    }
  }
}

Bytes whole_tcp_options(Bytes captured) {
  Bytes rest = captured;
  Bytes option;
  Step step = Step::kOption;
  while (step == Step::kOption) step = next_option(rest, option);
  return step == Step::kBroken ? captured.first(captured.size() - option.size()) : captured;
}

std::optional<std::span<const std::byte>> OptionWalker::next(std::uint8_t kind) {
  Bytes option;
  for (;;) {
    switch (next_option(rest_, option)) {
      case Step::kOption:
        if (kind_of(option) == kind) return option;
        break;
      case Step::kBroken:
        if (kind == kMptcp && kind_of(option) == kMptcp) return option;
        return std::nullopt;
      case Step::kEnd:
        rest_ = {};
        return std::nullopt;
    }
  }
}

}  // namespace weir::wire
