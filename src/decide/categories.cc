#include "decide/categories.h"

#include <algorithm>
#include <functional>

#include "decide/host_name.h"

namespace weir::decide {

Categories::Categories() : text_(std::make_unique<std::string>()), table_(0, Hash{text_.get()}, Equal{text_.get()}), sets_(1) {}
Categories::~Categories() = default;

std::optional<std::size_t> Categories::find(std::string_view name) const {
  const auto found = std::ranges::find(names_, name);
  if (found == names_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names_.begin());
}

std::optional<std::size_t> Categories::category(std::string_view name) {
  if (const auto known = find(name)) return known;
  if (names_.size() == kMostCategories) return std::nullopt;
  names_.emplace_back(name);
  return names_.size() - 1;
}

std::uint32_t Categories::with(std::uint32_t set, std::size_t category) {
  if (sets_[set].test(category)) return set;
  const auto [known, is_new] = with_.try_emplace({set, category}, 0);
  if (is_new) {
    Set both = sets_[set];
    both.set(category);
    auto same = std::ranges::find(sets_, both);
    if (same == sets_.end()) same = sets_.insert(sets_.end(), both);
    known->second = static_cast<std::uint32_t>(same - sets_.begin());
  }
  return known->second;
}

Categories::Added Categories::add(std::size_t category, std::string_view entry) {
  if (const auto address = parse_ip_address(entry)) {
    std::uint32_t& set = addresses_[*address];
    set = with(set, category);
    return Added::kAdded;
  }
  if (entry.starts_with("*.")) entry.remove_prefix(2);
  const auto name = host_name_of(entry);
  if (!name) return Added::kOdd;
  if (const auto known = table_.find(std::string_view(*name)); known != table_.end()) {
    known->second = with(known->second, category);
    return Added::kAdded;
  }
  if (text_->size() + name->size() > kMostNameText) return Added::kFull;
  const Place place{static_cast<std::uint32_t>(text_->size()), static_cast<std::uint8_t>(name->size())};
  *text_ += *name;
  table_.emplace(place, with(0, category));
  return Added::kAdded;
}

Categories::Set Categories::of(std::string_view host) const {
  Set all;
  if (host.size() > kMostHostNameBytes) return all;
  for (;;) {
    if (const auto found = table_.find(host); found != table_.end()) all |= sets_[found->second];
    const auto dot = host.find('.');
    if (dot == std::string_view::npos) return all;
    host.remove_prefix(dot + 1);
  }
}

Categories::Set Categories::of(const IpAddress& address) const {
  const auto found = addresses_.find(address);
  return found == addresses_.end() ? Set{} : sets_[found->second];
}

}  // namespace weir::decide
