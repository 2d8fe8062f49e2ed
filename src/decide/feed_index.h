// A feed made ready to be asked: what is known of a server.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "decide/feed.h"

namespace weir::decide {

/// Purpose: the verdict of an address and port, or of a name and port, by one look-up. Of several entries the one seen last counts.
/// Threads: made by one; then read by any.
class FeedIndex {
 public:
  explicit FeedIndex(const Feed& feed);

  /// By address and port; where the feed has none such, by the first of the names that it has: a name may lead to other addresses than when it was probed.
  std::optional<FeedVerdict> find(const IpAddress& server, std::uint16_t port, std::span<const std::string> names) const;
  std::size_t size() const { return by_address_.size() + by_name_.size(); }

 private:
  struct Found {
    FeedVerdict verdict = FeedVerdict::kInconclusive;
    std::int64_t last_seen_s = 0;
  };
  struct Service {
    IpAddress address;
    std::uint16_t port = 0;
    friend bool operator==(const Service&, const Service&) = default;
  };
  struct Name {
    std::string name;
    std::uint16_t port = 0;
  };
  struct NameView {
    std::string_view name;
    std::uint16_t port = 0;
  };
  struct ServiceHash {
    std::size_t operator()(const Service& service) const;
  };
  struct NameHash {
    using is_transparent = void;
    std::size_t operator()(const auto& name) const { return std::hash<std::string_view>{}(name.name) ^ name.port * std::size_t{0x9e3779b97f4a7c15}; }
  };
  struct NameEqual {
    using is_transparent = void;
    bool operator()(const auto& a, const auto& b) const { return a.port == b.port && std::string_view(a.name) == std::string_view(b.name); }
  };

  boost::unordered_flat_map<Service, Found, ServiceHash> by_address_;
  boost::unordered_flat_map<Name, Found, NameHash, NameEqual> by_name_;
};

}  // namespace weir::decide
