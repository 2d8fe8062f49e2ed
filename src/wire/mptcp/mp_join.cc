#include "wire/mptcp/mp_join.h"

#include <algorithm>

#include "wire/mptcp/option_octets.h"

namespace weir::wire::mptcp {
namespace {

constexpr std::uint8_t kSynLength = 12;
constexpr std::uint8_t kSynAckLength = 16;
constexpr std::uint8_t kAckLength = 24;
constexpr std::uint8_t kFlagB = 0x01;

}  // namespace

std::expected<Option, OptionError> parse_mp_join(Bytes bytes) {
  ByteReader in(bytes);
  const bool backup = read_low_nibble(in) & kFlagB;
  const std::uint8_t address_id = in.u8();
  switch (bytes.size()) {
    case kSynLength: {
      MpJoinSyn option{.backup = backup, .address_id = address_id};
      option.token = in.u32();
      option.nonce = in.u32();
      return option;
    }
    case kSynAckLength: {
      MpJoinSynAck option{.backup = backup, .address_id = address_id};
      option.hmac = in.u64();
      option.nonce = in.u32();
      return option;
    }
    case kAckLength: {
      MpJoinAck option;
      std::ranges::copy(in.rest(), option.hmac.begin());
      return option;
    }
    default:
      return std::unexpected(OptionError::kBadLength);
  }
}

void emit(const MpJoinSyn& option, ByteWriter& out) {
  write_start(out, kSynLength, Subtype::kMpJoin, option.backup ? kFlagB : 0);
  out.u8(option.address_id);
  out.u32(option.token);
  out.u32(option.nonce);
}

void emit(const MpJoinSynAck& option, ByteWriter& out) {
  write_start(out, kSynAckLength, Subtype::kMpJoin, option.backup ? kFlagB : 0);
  out.u8(option.address_id);
  out.u64(option.hmac);
  out.u32(option.nonce);
}

void emit(const MpJoinAck& option, ByteWriter& out) {
  write_start(out, kAckLength, Subtype::kMpJoin, 0);
  out.u8(0);
  out.bytes(option.hmac);
}

}  // namespace weir::wire::mptcp
