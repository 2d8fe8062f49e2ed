#include "probe/raw/links.h"

#include <poll.h>

#include <algorithm>
#include <ctime>

namespace weir::probe::raw {

void Links::flush() {
  for (const auto& link : links_) link->flush();
}

std::vector<std::string> Links::failed() const {
  std::vector<std::string> names;
  for (const Way& way : ways_) {
    const Link& link = *links_[way.link];
    if (link.has_failed() && std::ranges::find(names, link.interface()) == names.end()) names.push_back(link.interface());
  }
  return names;
}

bool Links::receive(const Link::Take& take) {
  bool more = false;
  for (const auto& link : links_) more |= link->receive(take) == Link::kBatch;
  return more;
}

void Links::wait(TimeNs longest) const {
  constexpr TimeNs kSecond = 1'000'000'000;
  std::vector<pollfd> waiting;
  for (const auto& link : links_) waiting.push_back({.fd = link->descriptor(), .events = POLLIN, .revents = 0});
  const timespec time{.tv_sec = longest / kSecond, .tv_nsec = longest % kSecond};
  ::ppoll(waiting.data(), waiting.size(), &time, nullptr);
}

std::uint64_t Links::dropped() const {
  std::uint64_t all = 0;
  for (const auto& link : links_) all += link->dropped();
  return all;
}

}  // namespace weir::probe::raw
