#include "decide/event_book.h"

#include <functional>

namespace weir::decide {

EventSet bit_of_name(std::string_view event) {
  for (unsigned i = 0; i < static_cast<unsigned>(inspect::Event::kCount); ++i) {
    const auto each = static_cast<inspect::Event>(i);
    if (inspect::event_name(each) == event) return bit_of(each);
  }
  return 0;
}

std::size_t EventBook::Hash::operator()(const IpAddress& address) const {
  return std::hash<std::string_view>{}({reinterpret_cast<const char*>(address.octets.data()), address.octets.size()});
}

void EventBook::raised(const IpAddress& host, EventSet events, TimeNs now) {
  if (events == 0 || most_ == 0) return;
  const auto known = hosts_.find(host);
  if (known != hosts_.end()) {
    Host& entry = *known->second;
    entry.events = now - entry.last_ns > kStay ? events : entry.events | events;
    entry.last_ns = now;
    order_.splice(order_.begin(), order_, known->second);
    return;
  }
  if (hosts_.size() >= most_) {
    hosts_.erase(order_.back().address);
    order_.pop_back();
    ++evicted_;
  }
  order_.push_front({.address = host, .events = events, .last_ns = now});
  hosts_[host] = order_.begin();
}

EventSet EventBook::of(const IpAddress& host, TimeNs now) const {
  const auto known = hosts_.find(host);
  if (known == hosts_.end() || now - known->second->last_ns > kStay) return 0;
  return known->second->events;
}

}  // namespace weir::decide
