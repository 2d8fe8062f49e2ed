#include "gateway/nat_table.h"

#include <utility>

#include "gateway/nat_rules.h"

namespace weir::gateway {

NatTable::NatTable(NftCommands nft, rewrite::NatSettings settings) : nft_(std::move(nft)), settings_(std::move(settings)) {}
NatTable::~NatTable() = default;

std::expected<std::unique_ptr<NatTable>, std::string> NatTable::make(const rewrite::NatSettings& settings) {
  auto nft = NftCommands::open();
  if (!nft) return std::unexpected(nft.error());
  std::unique_ptr<NatTable> table(new NatTable(*std::move(nft), settings));
  if (auto made = table->make_anew(); !made) return std::unexpected("the kernel does not take NAT by nftables: " + made.error());
  return table;
}

/// Which source goes with a change, and the books on it.
std::optional<IpAddress> NatTable::source_for(const rewrite::MappingOrder& order) {
  const bool install = order.what == rewrite::MappingOrder::What::kInstall;
  const bool known = installed_.contains(order.outside);
  if (install) {
    Source& source = sources_.try_emplace(order.inside.address, Source{.outside = order.outside.address}).first->second;
    if (!known) ++source.mappings;
    installed_[order.outside] = order;
    return source.outside;
  }
  const auto source = sources_.find(order.inside.address);
  if (!known || source == sources_.end()) return std::nullopt;
  installed_.erase(order.outside);
  if (--source->second.mappings > 0) return std::nullopt;
  const IpAddress outside = source->second.outside;
  sources_.erase(source);
  return outside;
}

std::expected<void, std::string> NatTable::make_anew() {
  std::string text = nat_rules(settings_);
  for (const auto& [outside, order] : installed_) {
    const auto source = sources_.find(order.inside.address);
    text += nat_change(order, source == sources_.end() ? std::nullopt : std::optional(source->second.outside));
  }
  return nft_.run(text);
}

std::expected<void, std::string> NatTable::use(rewrite::NatSettings settings) {
  std::swap(settings_, settings);
  auto made = make_anew();
  if (made) whole_ = true;
  if (!made) settings_ = std::move(settings);
  return made;
}

std::expected<void, std::string> NatTable::apply(std::span<const rewrite::MappingOrder> orders) {
  std::string text;
  for (const rewrite::MappingOrder& order : orders) text += nat_change(order, source_for(order));
  if (whole_ && (text.empty() || nft_.run(text))) return {};
  auto made = make_anew();
  whole_ = made.has_value();
  return made;
}

std::expected<void, std::string> NatTable::remove() {
  installed_.clear();
  sources_.clear();
  return nft_.run(nat_removal());
}

}  // namespace weir::gateway
