#include "wire/mptcp/mp_prio.h"

#include "wire/mptcp/option_octets.h"

namespace weir::wire::mptcp {
namespace {

constexpr std::uint8_t kFlagB = 0x01;

}  // namespace

std::expected<Option, OptionError> parse_mp_prio(Bytes bytes) {
  ByteReader in(bytes);
  MpPrio option;
  option.backup = read_low_nibble(in) & kFlagB;
  if (in.remaining() > 1) return std::unexpected(OptionError::kBadLength);
  // RFC 6824 §3.3.8 has an address ID; RFC 8684 took it away, because it let one path move another's traffic.
  if (in.remaining() == 1) option.address_id = in.u8();
  return option;
}

void emit(const MpPrio& option, ByteWriter& out) {
  write_start(out, option.address_id ? 4 : 3, Subtype::kMpPrio, option.backup ? kFlagB : 0);
  if (option.address_id) out.u8(*option.address_id);
}

}  // namespace weir::wire::mptcp
