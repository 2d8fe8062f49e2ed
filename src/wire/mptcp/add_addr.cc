#include "wire/mptcp/add_addr.h"

#include "wire/mptcp/option_octets.h"

namespace weir::wire::mptcp {
namespace {

constexpr std::uint8_t kFlagE = 0x01;
constexpr std::size_t kHmac = 8;

/// What a length without the HMAC holds.
struct Form {
  bool v6;
  bool port;
};

std::optional<Form> form_of(std::size_t length) {
  switch (length) {
    case 8:
      return Form{false, false};
    case 10:
      return Form{false, true};
    case 20:
      return Form{true, false};
    case 22:
      return Form{true, true};
    default:
      return std::nullopt;
  }
}

}  // namespace

std::expected<Option, OptionError> parse_add_addr(Bytes bytes) {
  ByteReader in(bytes);
  const std::uint8_t nibble = read_low_nibble(in);
  const auto bare = form_of(bytes.size());
  const auto with_hmac = bytes.size() > kHmac ? form_of(bytes.size() - kHmac) : std::nullopt;
  AddAddr option;
  if (bare && nibble & kFlagE) {
    // RFC 8684 §3.4.1: the echo has no HMAC. Of the nibble only E counts: 4 and 6, v0's IP versions, leave it clear.
    option.echo = true;
  } else if (bare) {
    // RFC 6824 §3.4.1: the nibble is the IP version, and it must agree with the length.
    if (nibble != (bare->v6 ? 6 : 4)) return std::unexpected(OptionError::kBadIpVersion);
    option.version = 0;
  } else if (!with_hmac || nibble & kFlagE) {
    return std::unexpected(OptionError::kBadLength);
  }
  const Form form = bare ? *bare : *with_hmac;
  option.address_id = in.u8();
  if (form.v6) {
    if (const auto address = in.take<16>()) option.address = IpAddress::v6(*address);
  } else {
    if (const auto address = in.take<4>()) option.address = IpAddress::v4(*address);
  }
  if (form.port) option.port = in.u16();
  if (!bare) option.hmac = in.u64();
  if (!in.ok()) return std::unexpected(OptionError::kBadLength);
  // An IPv4-mapped IPv6 address would not be told from an IPv4 one any more, and no host can be reached at it
  // (RFC 4291 §2.5.5.2: for use inside of a node).
  if (form.v6 && option.address.is_v4()) return std::unexpected(OptionError::kBadIpVersion);
  return option;
}

void emit(const AddAddr& option, ByteWriter& out) {
  const auto address = std::as_bytes(option.address.wire());
  const std::size_t length = 4 + address.size() + (option.port ? 2 : 0) + (option.hmac ? kHmac : 0);
  const std::uint8_t nibble = option.version == 0 ? (address.size() == 4 ? 4 : 6) : (option.echo ? kFlagE : 0);
  write_start(out, static_cast<std::uint8_t>(length), Subtype::kAddAddr, nibble);
  out.u8(option.address_id);
  out.bytes(address);
  if (option.port) out.u16(*option.port);
  if (option.hmac) out.u64(*option.hmac);
}

}  // namespace weir::wire::mptcp
