#include "gateway/nat_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gateway/nat_rules.h"

extern "C" {
#include <nftables/libnftables.h>
}

namespace weir::gateway {

void NatTable::ContextEnd::operator()(nft_ctx* context) const { nft_ctx_free(context); }

NatTable::NatTable(Context context, rewrite::NatSettings settings) : context_(std::move(context)), settings_(std::move(settings)) {}
NatTable::~NatTable() = default;

std::expected<std::unique_ptr<NatTable>, std::string> NatTable::make(const rewrite::NatSettings& settings) {
  Context context(nft_ctx_new(NFT_CTX_DEFAULT));
  if (!context) return std::unexpected(std::string("nftables cannot be used"));
  nft_ctx_buffer_error(context.get());
  nft_ctx_buffer_output(context.get());
  std::unique_ptr<NatTable> table(new NatTable(std::move(context), settings));
  if (auto made = table->make_anew(); !made) return std::unexpected("the kernel does not take NAT by nftables: " + made.error());
  return table;
}

std::expected<void, std::string> NatTable::run(const std::string& text) {
  if (nft_run_cmd_from_buffer(context_.get(), text.c_str()) == 0) return {};
  // "/dev/stdin:1:2-3: Error: WHY", then the text with marks beneath it: the first line says it.
  std::string said = nft_ctx_get_error_buffer(context_.get());
  said.resize(std::min(said.find('\n'), said.size()));
  if (const auto why = said.find("Error: "); why != std::string::npos) said.erase(0, why + 7);
  return std::unexpected(said.empty() ? std::string("no reason given") : said);
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
  return run(text);
}

std::expected<void, std::string> NatTable::apply(std::span<const rewrite::MappingOrder> orders) {
  std::string text;
  for (const rewrite::MappingOrder& order : orders) text += nat_change(order, source_for(order));
  if (whole_ && (text.empty() || run(text))) return {};
  auto made = make_anew();
  whole_ = made.has_value();
  return made;
}

std::expected<void, std::string> NatTable::remove() {
  installed_.clear();
  sources_.clear();
  return run(nat_removal());
}

}  // namespace weir::gateway
