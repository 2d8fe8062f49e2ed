#include "rewrite/add_addr.h"

#include <array>
#include <utility>

#include "rewrite/option_space.h"
#include "track/keys.h"
#include "wire/ip_protocol.h"
#include "wire/ipv4.h"
#include "wire/ipv6_extensions.h"
#include "wire/mptcp/parse.h"
#include "wire/tcp_parse.h"

namespace weir::rewrite {
namespace {

using wire::mptcp::AddAddr;
using wire::mptcp::RemoveAddr;
using What = AddAddrChange::What;

/// Purpose: one packet, option by option. Owns the changed packet.
class Translator {
 public:
  Translator(Bytes packet, const AddAddrContext& context, AddressTranslation& translation, TimeNs now)
      : original_(packet), context_(context), translation_(translation), now_(now) {}

  std::expected<AddAddrResult, Unchangeable> run() {
    // A replaced option stays in its place in the order; one that is taken out leaves none.
    for (std::size_t index = 0;;) {
      const auto place = find_tcp(packet());
      if (!place) return std::unexpected(place.error());
      const auto option = nth_mptcp(*place, index);
      if (!option) return std::move(result_);
      if (!treat(*place, *option)) continue;
      ++index;
    }
  }

 private:
  Bytes packet() const { return result_.packet.empty() ? original_ : Bytes(result_.packet); }

  std::optional<OptionPlace> nth_mptcp(const TcpPlace& place, std::size_t n) const {
    OptionPlaces places(packet().subspan(place.options(), place.options_bytes));
    while (const auto option = places.next())
      if (option->kind == wire::mptcp::kOptionKind && !option->broken && n-- == 0) return option;
    return std::nullopt;
  }

  /// False if the option is no more.
  bool treat(const TcpPlace& place, const OptionPlace& at) {
    const auto parsed = wire::mptcp::parse_option(packet().subspan(place.options() + at.at, at.bytes));
    if (!parsed) return true;
    if (const auto* gone = std::get_if<RemoveAddr>(&*parsed)) translation_.withdraw(context_.connection, context_.sender, gone->address_ids, now_);
    const auto* offered = std::get_if<AddAddr>(&*parsed);
    if (offered == nullptr || offered->version != context_.version) return true;
    return offered->echo ? echo(*offered, place, at) : offer(*offered, place, at);
  }

  bool offer(const AddAddr& option, const TcpPlace& place, const OptionPlace& at) {
    const bool has_keys = context_.sender_key && context_.receiver_key;
    const bool proves = option.version == 0 || (has_keys && hmac_of(option) == option.hmac);
    if (!proves) {
      // Nothing is set up for it; whether it concerns the NAT at all, its address says.
      if (!translation_.concerns(option.address)) return true;
      return take_out(option, has_keys ? What::kWrongHmac : What::kKeysUnknown, NoTranslation::kNotConcerned, place, at);
    }
    const bool repeated =
        translation_.knows(context_.connection, context_.sender, option.address_id, {.address = option.address, .port = option.port.value_or(0)});
    AddAddr with_port = option;
    with_port.port = option.port.value_or(1);
    const auto told = translation_.offer({.connection = context_.connection,
                                          .host = context_.sender,
                                          .address = option.address,
                                          .address_id = option.address_id,
                                          .port = option.port,
                                          .sender_port = context_.sender_port,
                                          .peer_port = context_.peer_port,
                                          .room_for_port = replaced(with_port, place, at).has_value()},
                                         now_);
    if (!told && told.error() == NoTranslation::kNotConcerned) return true;
    if (!told) return take_out(option, What::kTakenOut, told.error(), place, at);
    AddAddr outside = option;
    outside.address = told->address;
    outside.port = told->port == 0 ? std::nullopt : std::optional(told->port);
    if (outside.version != 0) outside.hmac = hmac_of(outside);
    auto changed = replaced(outside, place, at);
    if (!changed) return take_out(option, What::kTakenOut, NoTranslation::kNoRoom, place, at);
    note(What::kTranslated, option, *told);
    result_.changes.back().repeated = repeated;
    result_.packet = *std::move(changed);
    return true;
  }

  bool echo(const AddAddr& option, const TcpPlace& place, const OptionPlace& at) {
    const auto host = static_cast<std::uint8_t>(1 - context_.sender);
    const auto original = translation_.original(context_.connection, host, option.address_id, {.address = option.address, .port = option.port.value_or(0)});
    if (!original) return true;
    AddAddr inside = option;
    inside.address = original->address;
    inside.port = original->port;
    auto changed = replaced(inside, place, at);
    note(changed ? What::kEcho : What::kEchoNoRoom, option, {.address = inside.address, .port = inside.port.value_or(0)});
    if (changed) result_.packet = *std::move(changed);
    return true;
  }

  bool take_out(const AddAddr& option, What what, NoTranslation why, const TcpPlace& place, const OptionPlace& at) {
    if (result_.packet.empty()) result_.packet.assign(original_.begin(), original_.begin() + static_cast<std::ptrdiff_t>(place.end));
    remove_option(result_.packet, place, at);
    note(what, option, {});
    result_.changes.back().why = why;
    return false;
  }

  std::uint64_t hmac_of(const AddAddr& option) const {
    return track::add_addr_hmac(context_.sender_key.value_or(0), context_.receiver_key.value_or(0), option.address_id, option.address, option.port.value_or(0));
  }

  std::expected<std::vector<std::byte>, Unchangeable> replaced(const AddAddr& option, const TcpPlace& place, const OptionPlace& at) const {
    std::array<std::byte, kOptionSpace> octets{};
    const std::size_t bytes = wire::mptcp::emit_option(option, octets);
    return replace_option(packet(), place, at, Bytes(octets).first(bytes));
  }

  void note(What what, const AddAddr& option, const HostPort& after) {
    result_.changes.push_back({.what = what,
                               .why = NoTranslation::kNotConcerned,
                               .address_id = option.address_id,
                               .before = {.address = option.address, .port = option.port.value_or(0)},
                               .after = after});
  }

  Bytes original_;
  const AddAddrContext& context_;
  AddressTranslation& translation_;
  TimeNs now_;
  AddAddrResult result_;
};

}  // namespace

bool may_tell_addresses(Bytes packet) {
  const auto ip = fixed<wire::kIpv4Header>(packet);
  if (!ip) return false;
  std::size_t tcp = 0;
  if (u8_at<0>(*ip) >> 4U == 4 && u8_at<9>(*ip) == wire::kTcp) {
    tcp = (u8_at<0>(*ip) & 0x0fU) * std::size_t{4};
  } else if (u8_at<0>(*ip) >> 4U == 6 && u8_at<6>(*ip) == wire::kTcp) {
    tcp = wire::kIpv6Header;
  } else {
    return true;
  }
  if (tcp > packet.size()) return true;
  const auto header = fixed<wire::kTcpHeader>(packet.subspan(tcp));
  if (!header) return true;
  const std::size_t bytes = (u8_at<12>(*header) >> 4U) * std::size_t{4};
  if (bytes < wire::kTcpHeader || bytes > packet.size() - tcp) return true;
  const Bytes space = packet.subspan(tcp + wire::kTcpHeader, bytes - wire::kTcpHeader);
  OptionPlaces places(space);
  while (const auto option = places.next()) {
    if (option->kind != wire::mptcp::kOptionKind || option->bytes < 3) continue;
    const auto subtype = std::to_integer<unsigned>(space[option->at + 2]) >> 4U;
    if (subtype == static_cast<unsigned>(wire::mptcp::Subtype::kAddAddr) || subtype == static_cast<unsigned>(wire::mptcp::Subtype::kRemoveAddr)) return true;
  }
  return false;
}

std::expected<AddAddrResult, Unchangeable> translate_add_addr(Bytes packet, const AddAddrContext& context, AddressTranslation& translation, TimeNs now) {
  return Translator(packet, context, translation, now).run();
}

}  // namespace weir::rewrite
