#include "wire/mptcp/mp_fail.h"

#include "wire/mptcp/option_octets.h"

namespace weir::wire::mptcp {
namespace {

constexpr std::uint8_t kLength = 12;

}  // namespace

std::expected<Option, OptionError> parse_mp_fail(Bytes bytes) {
  if (bytes.size() != kLength) return std::unexpected(OptionError::kBadLength);
  ByteReader in(bytes);
  in.skip(4);  // kind, length, subtype, and reserved bits, which a receiver ignores
  return MpFail{.dsn = in.u64()};
}

void emit(const MpFail& option, ByteWriter& out) {
  write_start(out, kLength, Subtype::kMpFail, 0);
  out.u8(0);
  out.u64(option.dsn);
}

}  // namespace weir::wire::mptcp
