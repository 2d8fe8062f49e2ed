#include "wire/mptcp/mp_fastclose.h"

#include "wire/mptcp/option_octets.h"

namespace weir::wire::mptcp {
namespace {

constexpr std::uint8_t kLength = 12;

}  // namespace

std::expected<Option, OptionError> parse_mp_fastclose(Bytes bytes) {
  if (bytes.size() != kLength) return std::unexpected(OptionError::kBadLength);
  ByteReader in(bytes);
  in.skip(4);  // kind, length, subtype, and reserved bits, which a receiver ignores
  return MpFastclose{.receiver_key = in.u64()};
}

void emit(const MpFastclose& option, ByteWriter& out) {
  write_start(out, kLength, Subtype::kMpFastclose, 0);
  out.u8(0);
  out.u64(option.receiver_key);
}

}  // namespace weir::wire::mptcp
