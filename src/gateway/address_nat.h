// ADD_ADDR across the NAT for all shards: one translation, and the kernel's table behind it.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "rewrite/add_addr.h"

namespace weir::gateway {

/// Grow only, but for `mappings`.
struct AddressNatCounters {
  std::uint64_t translated = 0;     ///< offers told as outside addresses, repeated ones too
  std::uint64_t echoes = 0;         ///< told in the inside's own words
  std::uint64_t taken_out = 0;      ///< offers that could not be translated, for whatever reason
  std::uint64_t wrong_hmac = 0;     ///< of these: not proven
  std::uint64_t keys_unknown = 0;   ///< of these: no HMAC could be made
  std::uint64_t no_room = 0;        ///< of these, for want of room in the option space; and echoes that went as they came
  std::uint64_t pool_empty = 0;     ///< of these: no port, or at a limit
  std::uint64_t kernel_errors = 0;  ///< changes that the kernel did not take
  std::uint64_t mappings = 0;       ///< now
};

/// Purpose: a packet with ADD_ADDR or REMOVE_ADDR in, the one that goes instead out; by then the kernel has the mapping.
/// Invariant: no outside address is told whose mapping the kernel did not take. Threads: any; one at a time is inside.
class AddressNat {
 public:
  /// The changes, together with those of calls that failed before.
  using Apply = std::function<std::expected<void, std::string>(std::span<const rewrite::MappingOrder>)>;

  AddressNat(rewrite::NatSettings settings, Apply apply) : translation_(std::move(settings)), apply_(std::move(apply)) {}

  /// From now on; what runs goes on (AddressTranslation::use). `change` makes the kernel's table by them, while no packet is on its way here: its
  /// error leaves all as it was.
  std::expected<void, std::string> use(rewrite::NatSettings settings, const std::function<std::expected<void, std::string>()>& change);

  struct Result {
    std::vector<std::byte> packet;                ///< goes instead; empty: as it is
    std::vector<rewrite::AddAddrChange> changes;  ///< empty: nothing to tell
    std::string problem;                          ///< why the kernel did not take a mapping: offers were taken out
  };
  /// Unchangeable packets give their reason, and must not pass if they hold offers.
  std::expected<Result, rewrite::Unchangeable> treat(Bytes packet, const rewrite::AddAddrContext& context, TimeNs now);
  /// The connection is over.
  void end(std::uint64_t connection, TimeNs now);
  /// Mappings are renewed, or end.
  void advance(TimeNs now);
  AddressNatCounters counters();

  std::vector<std::byte> save();
  /// Before the first packet. False: the octets are no such state.
  bool restore(Bytes saved, TimeNs now);

 private:
  void count(const std::vector<rewrite::AddAddrChange>& changes);
  /// The error of the kernel, if any.
  std::string carry_out(TimeNs now);

  std::mutex mutex_;
  rewrite::AddressTranslation translation_;
  Apply apply_;
  AddressNatCounters counters_;
  bool kernel_is_behind_ = false;
};

/// For the log: "ADD_ADDR 2: 10.2.2.2:8080".
std::string name_of_offer(std::uint8_t address_id, const rewrite::HostPort& address);
/// For the log: "ADD_ADDR 2: 10.2.2.2 is told as 203.0.113.2:20000".
std::string explain(const rewrite::AddAddrChange& change);

}  // namespace weir::gateway
