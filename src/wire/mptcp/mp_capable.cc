#include "wire/mptcp/mp_capable.h"

#include "wire/mptcp/option_octets.h"

namespace weir::wire::mptcp {
namespace {

constexpr std::uint8_t kFlagA = 0x80;
constexpr std::uint8_t kFlagB = 0x40;
constexpr std::uint8_t kFlagC = 0x20;
constexpr std::uint8_t kFlagH = 0x01;
constexpr std::uint8_t kOthersV1 = 0x1e;
constexpr std::uint8_t kOthersV0 = 0x3e;  // RFC 6824 §3.1: C has no meaning of its own there

bool length_fits(std::uint8_t version, std::size_t length) {
  if (version == 0) return length == 12 || length == 20;
  return length == 4 || length == 12 || length == 20 || length == 22 || length == 24;
}

std::uint8_t length_of(const MpCapable& option) {
  std::uint8_t length = 4;
  if (option.sender_key) length += 8;
  if (option.receiver_key) length += 8;
  if (option.data_level_length) length += 2;
  if (option.checksum) length += 2;
  return length;
}

}  // namespace

std::expected<Option, OptionError> parse_mp_capable(Bytes bytes) {
  ByteReader in(bytes);
  MpCapable option;
  option.version = read_low_nibble(in);
  // A later version's option is only looked at as far as it is laid out like v1's (RFC 8684 §3.1, "Version").
  if (!length_fits(option.version, bytes.size())) return std::unexpected(OptionError::kBadLength);
  const std::uint8_t flags = in.u8();
  option.checksum_required = flags & kFlagA;
  option.extensibility = flags & kFlagB;
  option.hmac_sha = flags & kFlagH;
  option.no_join_here = option.version != 0 && flags & kFlagC;
  option.other_flags = flags & (option.version == 0 ? kOthersV0 : kOthersV1);
  if (bytes.size() >= 12) option.sender_key = in.u64();
  if (bytes.size() >= 20) option.receiver_key = in.u64();
  if (bytes.size() >= 22) option.data_level_length = in.u16();
  if (bytes.size() >= 24) option.checksum = in.u16();
  return option;
}

void emit(const MpCapable& option, ByteWriter& out) {
  write_start(out, length_of(option), Subtype::kMpCapable, option.version);
  const bool c = option.version != 0 && option.no_join_here;
  out.u8(static_cast<std::uint8_t>((option.checksum_required ? kFlagA : 0U) | (option.extensibility ? kFlagB : 0U) | (c ? kFlagC : 0U) |
                                   (option.hmac_sha ? kFlagH : 0U) | (option.other_flags & (option.version == 0 ? kOthersV0 : kOthersV1))));
  if (option.sender_key) out.u64(*option.sender_key);
  if (option.receiver_key) out.u64(*option.receiver_key);
  if (option.data_level_length) out.u16(*option.data_level_length);
  if (option.checksum) out.u16(*option.checksum);
}

}  // namespace weir::wire::mptcp
