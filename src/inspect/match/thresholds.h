// How often a rule may alert: Suricata's threshold and detection_filter.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>

#include "base/endpoints.h"
#include "base/raw_packet.h"
#include "inspect/rules/rule.h"

namespace weir::inspect::match {

/// Purpose: counts matches a rule and address. Bound: given to allows(); at it all counts begin anew (counted).
class Thresholds {
 public:
  /// Whether this match of the rule is to be told. `flow`: sender to receiver of the match.
  bool allows(const rules::Rule& rule, const Endpoints& flow, TimeNs now, std::size_t most) {
    if (!rule.threshold) return true;
    const rules::Threshold& t = *rule.threshold;
    using Kind = rules::Threshold::Kind;
    using Track = rules::Threshold::Track;
    Key key{rule.gid, rule.sid, {}, {}};
    if (t.track == Track::kBySource || t.track == Track::kByBoth) key.source = flow.src;
    if (t.track == Track::kByDestination || t.track == Track::kByBoth) key.destination = flow.dst;
    if (counts_.size() >= most && !counts_.contains(key)) {
      counts_.clear();
      ++restarts_;
    }
    auto [entry, fresh] = counts_.try_emplace(key, Count{now, 0});
    Count& c = entry->second;
    if (!fresh && now - c.since >= TimeNs{t.seconds} * 1'000'000'000) c = {now, 0};
    ++c.matches;
    switch (t.kind) {
      case Kind::kLimit:
        return c.matches <= t.count;
      case Kind::kThreshold:
        if (c.matches < t.count) return false;
        c.matches = 0;
        return true;
      case Kind::kBoth:
        return c.matches == t.count;
      case Kind::kDetectionFilter:
        return c.matches > t.count;
    }
    return true;
  }
  std::uint64_t restarts() const { return restarts_; }

 private:
  struct Key {
    std::uint32_t gid = 0, sid = 0;
    IpAddress source, destination;
    bool operator==(const Key&) const = default;
    friend std::size_t hash_value(const Key& k) {
      std::size_t h = k.gid * 0x9e3779b97f4a7c15U ^ k.sid;
      for (const auto* address : {&k.source, &k.destination})
        for (const std::uint8_t octet : address->octets) h = (h ^ octet) * 0x100000001b3U;
      return h;
    }
  };
  struct Count {
    TimeNs since = 0;
    std::uint64_t matches = 0;
  };
  boost::unordered_flat_map<Key, Count> counts_;
  std::uint64_t restarts_ = 0;
};

}  // namespace weir::inspect::match
