#include "wire/mptcp/dss.h"

#include "wire/mptcp/option_octets.h"

namespace weir::wire::mptcp {
namespace {

constexpr std::uint8_t kFlagDataFin = 0x10;  // F
constexpr std::uint8_t kFlagDsn8 = 0x08;     // m
constexpr std::uint8_t kFlagMapping = 0x04;  // M
constexpr std::uint8_t kFlagAck8 = 0x02;     // a
constexpr std::uint8_t kFlagAck = 0x01;      // A
constexpr std::uint8_t kWideAck = kFlagAck | kFlagAck8;
constexpr std::uint8_t kWideMapping = kFlagMapping | kFlagDsn8;

// SSN 4, length 2
constexpr std::size_t kMappingRest = 6;
constexpr std::size_t kChecksum = 2;

std::size_t octets(bool present, bool wide) { return present ? (wide ? 8 : 4) : 0; }

std::uint64_t read_number(ByteReader& in, bool wide) { return wide ? in.u64() : in.u32(); }

void write_number(ByteWriter& out, std::uint64_t value, bool wide) {
  if (wide) {
    out.u64(value);
  } else {
    out.u32(static_cast<std::uint32_t>(value));
  }
}

}  // namespace

std::expected<Option, OptionError> parse_dss(Bytes bytes) {
  ByteReader in(bytes);
  in.skip(3);
  const std::uint8_t flags = in.u8();
  if (!in.ok()) return std::unexpected(OptionError::kBadLength);
  // RFC 8684 §3.3: a and m only say how long what A and M announce is.
  const bool has_ack = flags & kFlagAck;
  const bool has_mapping = flags & kFlagMapping;
  const bool wide_ack = flags & kFlagAck8;
  const bool wide_dsn = flags & kFlagDsn8;
  const std::size_t without_checksum = octets(has_ack, wide_ack) + (has_mapping ? octets(true, wide_dsn) + kMappingRest : 0);
  // The checksum has no flag: the length tells (RFC 8684 §3.3, figure 9).
  const bool has_checksum = has_mapping && in.remaining() == without_checksum + kChecksum;
  if (in.remaining() != without_checksum + (has_checksum ? kChecksum : 0)) return std::unexpected(OptionError::kBadLength);

  Dss option;
  option.data_fin = flags & kFlagDataFin;
  if (has_ack) option.data_ack = Dss::DataAck{.value = read_number(in, wide_ack), .wide = wide_ack};
  if (has_mapping) {
    Dss::Mapping mapping;
    mapping.dsn = read_number(in, wide_dsn);
    mapping.wide = wide_dsn;
    mapping.ssn = in.u32();
    mapping.length = in.u16();
    if (has_checksum) mapping.checksum = in.u16();
    option.mapping = mapping;
  }
  return option;
}

void emit(const Dss& option, ByteWriter& out) {
  std::size_t length = 4;
  std::uint8_t flags = option.data_fin ? kFlagDataFin : 0;
  if (option.data_ack) {
    length += octets(true, option.data_ack->wide);
    flags |= option.data_ack->wide ? kWideAck : kFlagAck;
  }
  if (option.mapping) {
    length += octets(true, option.mapping->wide) + kMappingRest + (option.mapping->checksum ? kChecksum : 0);
    flags |= option.mapping->wide ? kWideMapping : kFlagMapping;
  }
  write_start(out, static_cast<std::uint8_t>(length), Subtype::kDss, 0);
  out.u8(flags);
  if (option.data_ack) write_number(out, option.data_ack->value, option.data_ack->wide);
  if (option.mapping) {
    write_number(out, option.mapping->dsn, option.mapping->wide);
    out.u32(option.mapping->ssn);
    out.u16(option.mapping->length);
    if (option.mapping->checksum) out.u16(*option.mapping->checksum);
  }
}

}  // namespace weir::wire::mptcp
