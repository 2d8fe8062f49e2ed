#include "gateway/address_nat.h"

#include <fmt/format.h>

#include <utility>

#include "rewrite/strip.h"

namespace weir::gateway {
namespace {

using rewrite::AddAddrChange;
using rewrite::NoTranslation;
using What = AddAddrChange::What;

constexpr rewrite::SubtypeSet kOffers{wire::mptcp::Subtype::kAddAddr};

std::string text(const rewrite::HostPort& value) {
  if (value.port == 0) return to_string(value.address);
  if (value.address.is_v4()) return fmt::format("{}:{}", to_string(value.address), value.port);
  return fmt::format("[{}]:{}", to_string(value.address), value.port);
}

}  // namespace

std::string name_of_offer(std::uint8_t address_id, const rewrite::HostPort& address) { return fmt::format("ADD_ADDR {}: {}", address_id, text(address)); }

std::string explain(const AddAddrChange& change) {
  const std::string subject = name_of_offer(change.address_id, change.before);
  switch (change.what) {
    case What::kTranslated:
      return fmt::format("{} is told as {}", subject, text(change.after));
    case What::kEcho:
      return fmt::format("{}, echoed, is told as {}", subject, text(change.after));
    case What::kTakenOut:
      return fmt::format("{} is taken out: {}", subject, name_of(change.why));
    case What::kWrongHmac:
      return subject + " is taken out: wrong HMAC";
    case What::kKeysUnknown:
      return subject + " is taken out: keys were never seen";
    case What::kEchoNoRoom:
      return subject + ", echoed, goes as it is: no_room";
  }
  return subject;
}

void AddressNat::count(const std::vector<AddAddrChange>& changes) {
  for (const AddAddrChange& change : changes) {
    counters_.translated += change.what == What::kTranslated ? 1 : 0;
    counters_.echoes += change.what == What::kEcho ? 1 : 0;
    counters_.wrong_hmac += change.what == What::kWrongHmac ? 1 : 0;
    counters_.keys_unknown += change.what == What::kKeysUnknown ? 1 : 0;
    const bool out = change.what == What::kTakenOut;
    counters_.taken_out += out || change.what == What::kWrongHmac || change.what == What::kKeysUnknown ? 1 : 0;
    counters_.no_room += change.what == What::kEchoNoRoom || (out && change.why == NoTranslation::kNoRoom) ? 1 : 0;
    counters_.pool_empty += out && (change.why == NoTranslation::kPoolEmpty || change.why == NoTranslation::kLimit) ? 1 : 0;
  }
}

std::string AddressNat::carry_out(TimeNs now) {
  const std::vector<rewrite::MappingOrder> orders = translation_.take_orders(now);
  if (orders.empty() && !kernel_is_behind_) return {};
  const auto done = apply_(orders);
  kernel_is_behind_ = !done;
  if (done) return {};
  ++counters_.kernel_errors;
  return done.error();
}

std::expected<void, std::string> AddressNat::use(rewrite::NatSettings settings, const std::function<std::expected<void, std::string>()>& change) {
  const std::scoped_lock lock(mutex_);
  auto changed = change();
  if (changed) translation_.use(std::move(settings));
  return changed;
}

std::expected<AddressNat::Result, rewrite::Unchangeable> AddressNat::treat(Bytes packet, const rewrite::AddAddrContext& context, TimeNs now) {
  const std::scoped_lock lock(mutex_);
  auto translated = rewrite::translate_add_addr(packet, context, translation_, now);
  if (!translated) return std::unexpected(translated.error());
  Result result{.packet = std::move(translated->packet), .changes = std::move(translated->changes), .problem = carry_out(now)};
  if (!result.problem.empty()) {
    // What the kernel does not have is not told: the host offers it again, and by then the kernel may have caught up.
    if (result.packet.empty()) result.packet.assign(packet.begin(), packet.end());
    if (auto stripped = rewrite::strip_mptcp(result.packet, kOffers); !stripped) return std::unexpected(stripped.error());
    for (AddAddrChange& change : result.changes) {
      if (change.what != What::kTranslated) continue;
      change.what = What::kTakenOut;
      change.why = NoTranslation::kKernel;
    }
  }
  count(result.changes);
  return result;
}

void AddressNat::end(std::uint64_t connection, TimeNs now) {
  const std::scoped_lock lock(mutex_);
  translation_.end(connection, now);
}

void AddressNat::advance(TimeNs now) {
  const std::scoped_lock lock(mutex_);
  const auto deadline = translation_.next_deadline();
  if (deadline && *deadline <= now) carry_out(now);
}

AddressNatCounters AddressNat::counters() {
  const std::scoped_lock lock(mutex_);
  counters_.mappings = translation_.mappings();
  return counters_;
}

std::vector<std::byte> AddressNat::save() {
  const std::scoped_lock lock(mutex_);
  return translation_.save();
}

bool AddressNat::restore(Bytes saved, TimeNs now) {
  const std::scoped_lock lock(mutex_);
  const bool restored = translation_.restore(saved, now);
  carry_out(now);
  return restored;
}

}  // namespace weir::gateway
