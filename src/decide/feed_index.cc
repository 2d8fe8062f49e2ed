#include "decide/feed_index.h"

#include <utility>

namespace weir::decide {

std::size_t FeedIndex::ServiceHash::operator()(const Service& service) const {
  const std::string_view octets(reinterpret_cast<const char*>(service.address.octets.data()), service.address.octets.size());
  return std::hash<std::string_view>{}(octets) ^ service.port * std::size_t{0x9e3779b97f4a7c15};
}

FeedIndex::FeedIndex(const Feed& feed) {
  const auto take = [](Found& into, const FeedEntry& entry, bool is_new) {
    if (is_new || entry.last_seen_s > into.last_seen_s) into = {entry.verdict, entry.last_seen_s};
  };
  for (const FeedEntry& entry : feed.entries) {
    const auto [service, service_is_new] = by_address_.try_emplace(Service{entry.address, entry.port});
    take(service->second, entry, service_is_new);
    if (entry.name.empty()) continue;
    const auto [name, name_is_new] = by_name_.try_emplace(Name{entry.name, entry.port});
    take(name->second, entry, name_is_new);
  }
}

std::optional<FeedVerdict> FeedIndex::find(const IpAddress& server, std::uint16_t port, std::span<const std::string> names) const {
  if (const auto found = by_address_.find(Service{server, port}); found != by_address_.end()) return found->second.verdict;
  for (const std::string& name : names) {
    if (const auto found = by_name_.find(NameView{name, port}); found != by_name_.end()) return found->second.verdict;
  }
  return std::nullopt;
}

}  // namespace weir::decide
