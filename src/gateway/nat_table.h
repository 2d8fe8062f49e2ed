// The kernel's NAT, kept as ADD_ADDR's translation orders it (nftables).
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "gateway/nft_commands.h"
#include "rewrite/address_translation.h"

namespace weir::gateway {

/// Purpose: one nftables table, weir_nat: made, changed a transaction at a time, taken away. Other tables are not touched. Invariant: what this
/// object does not renew, the kernel forgets by itself, but for fixed pairs, which stay when a process dies. Connections that have their translation keep it
/// whatever becomes of the table. Ownership: the connection to the kernel. One owner, one thread. Needs CAP_NET_ADMIN.
class NatTable {
 public:
  /// Makes the table anew. The error says what the kernel or nftables does not do.
  static std::expected<std::unique_ptr<NatTable>, std::string> make(const rewrite::NatSettings& settings);
  NatTable(const NatTable&) = delete;
  NatTable& operator=(const NatTable&) = delete;
  ~NatTable();

  /// Fixed pairs by these settings from now on, mappings as they are; on an error all stays as it was.
  std::expected<void, std::string> use(rewrite::NatSettings settings);
  /// Before the packet goes that the orders belong to. Where someone has taken the table away (a firewall's reload flushes all), or a change failed before,
  /// the whole table is made anew. After an error the next call tries everything again.
  std::expected<void, std::string> apply(std::span<const rewrite::MappingOrder> orders);
  /// The table goes.
  std::expected<void, std::string> remove();

 private:
  NatTable(NftCommands nft, rewrite::NatSettings settings);
  std::expected<void, std::string> make_anew();
  std::optional<IpAddress> source_for(const rewrite::MappingOrder& order);

  /// Where an inside host's own JOINs come from, and how many mappings of it there are.
  struct Source {
    IpAddress outside;
    std::uint32_t mappings = 0;
  };

  NftCommands nft_;
  rewrite::NatSettings settings_;
  std::map<rewrite::HostPort, rewrite::MappingOrder> installed_;  // by outside endpoint
  std::map<IpAddress, Source> sources_;                           // by inside address
  bool whole_ = true;                                             // the kernel has all of that
};

}  // namespace weir::gateway
