#include "wire/mptcp/mp_tcprst.h"

#include "wire/mptcp/option_octets.h"

namespace weir::wire::mptcp {
namespace {

constexpr std::uint8_t kLength = 4;

}  // namespace

std::expected<Option, OptionError> parse_mp_tcprst(Bytes bytes) {
  if (bytes.size() != kLength) return std::unexpected(OptionError::kBadLength);
  ByteReader in(bytes);
  MpTcprst option{.flags = read_low_nibble(in)};
  option.reason = in.u8();
  return option;
}

void emit(const MpTcprst& option, ByteWriter& out) {
  write_start(out, kLength, Subtype::kMpTcprst, option.flags);
  out.u8(option.reason);
}

}  // namespace weir::wire::mptcp
