#include "wire/mptcp/parse.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "wire/mptcp/add_addr.h"
#include "wire/mptcp/dss.h"
#include "wire/mptcp/mp_capable.h"
#include "wire/mptcp/mp_fail.h"
#include "wire/mptcp/mp_fastclose.h"
#include "wire/mptcp/mp_join.h"
#include "wire/mptcp/mp_prio.h"
#include "wire/mptcp/mp_tcprst.h"
#include "wire/mptcp/option_octets.h"
#include "wire/mptcp/remove_addr.h"

namespace weir::wire::mptcp {
namespace {

using Parse = std::expected<Option, OptionError> (*)(Bytes);

// RFC 8684 §8.1, by subtype; the rest, experimental ones included, is kept as it stands.
constexpr std::array<Parse, 9> kParsers{
    parse_mp_capable, parse_mp_join, parse_dss, parse_add_addr, parse_remove_addr, parse_mp_prio, parse_mp_fail, parse_mp_fastclose, parse_mp_tcprst,
};
static_assert(kParsers.size() == static_cast<std::size_t>(Subtype::kMpTcprst) + 1);

void emit(const Unknown& option, ByteWriter& out) { out.bytes(option.bytes); }

using Verdict = std::optional<OptionError>;
constexpr Verdict kLegal = std::nullopt;

/// Legality in a version and a carrier, an overload an option. What has no overload's rule is legal where it parses.
struct Legality {
  std::size_t length;
  std::optional<std::uint8_t> version;
  Carrier carrier;

  Verdict when(bool legal) const { return legal ? kLegal : Verdict{OptionError::kBadLength}; }

  Verdict operator()(const MpCapable& option) const {
    // The option names its own version: a SYN/ACK may answer with a lower one (RFC 8684 §3.1).
    const bool v0 = option.version == 0;
    switch (carrier) {
      case Carrier::kSyn:
        return when(length == (v0 ? 12 : 4));
      case Carrier::kSynAck:
        return when(length == 12);
      case Carrier::kOther:
        return when(v0 ? length == 20 : length >= 20);
    }
    return kLegal;
  }
  Verdict operator()(const MpJoinSyn&) const { return when(carrier == Carrier::kSyn); }
  Verdict operator()(const MpJoinSynAck&) const { return when(carrier == Carrier::kSynAck); }
  Verdict operator()(const MpJoinAck&) const { return when(carrier == Carrier::kOther); }
  Verdict operator()(const AddAddr& option) const { return when(!version || option.version == *version); }
  Verdict operator()(const MpPrio& option) const { return when(version != 1 || !option.address_id); }
  Verdict operator()(const MpTcprst&) const { return version == 0 ? Verdict{OptionError::kBadSubtype} : kLegal; }
  Verdict operator()(const Unknown& option) const {
    return option.subtype == static_cast<std::uint8_t>(Subtype::kExperimental) ? kLegal : Verdict{OptionError::kBadSubtype};
  }
  template <class Other>
  Verdict operator()(const Other&) const {
    return kLegal;
  }
};

}  // namespace

std::expected<Option, OptionError> parse_option(std::span<const std::byte> bytes) {
  ByteReader in(bytes);
  in.skip(1);
  const std::size_t length = in.u8();
  if (length < kLeastOption || length > bytes.size()) return std::unexpected(OptionError::kTruncated);
  const std::uint8_t subtype = in.u8() >> 4U;
  const Bytes option = bytes.first(length);
  if (subtype < kParsers.size()) return kParsers[subtype](option);
  return Unknown{.subtype = subtype, .bytes = option};
}

std::optional<OptionError> check_legal(const Option& option, std::span<const std::byte> bytes, std::optional<std::uint8_t> version, Carrier carrier) {
  ByteReader in(bytes);
  in.skip(1);
  return std::visit(Legality{.length = in.u8(), .version = version, .carrier = carrier}, option);
}

std::size_t emit_option(const Option& option, std::span<std::byte> out) {
  // RFC 9293 §3.1: the data offset leaves 40 octets for options.
  constexpr std::size_t kOptionSpace = 40;
  ByteWriter writer(out.first(std::min(out.size(), kOptionSpace)));
  std::visit([&](const auto& value) { emit(value, writer); }, option);
  return writer.ok() ? writer.written() : 0;
}

}  // namespace weir::wire::mptcp
