#include "wire/mptcp/remove_addr.h"

#include "wire/mptcp/option_octets.h"

namespace weir::wire::mptcp {

std::expected<Option, OptionError> parse_remove_addr(Bytes bytes) {
  ByteReader in(bytes);
  in.skip(kLeastOption);
  // RFC 8684 §3.4.2: 3 + n, with at least one address ID.
  if (in.remaining() == 0) return std::unexpected(OptionError::kBadLength);
  return RemoveAddr{.address_ids = in.rest()};
}

void emit(const RemoveAddr& option, ByteWriter& out) {
  write_start(out, static_cast<std::uint8_t>(kLeastOption + option.address_ids.size()), Subtype::kRemoveAddr, 0);
  out.bytes(option.address_ids);
}

}  // namespace weir::wire::mptcp
