// Marks that rules put on hosts and pairs of hosts: Suricata's xbits.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <string>
#include <utility>

#include "base/endpoints.h"
#include "base/raw_packet.h"
#include "inspect/rules/rule.h"

namespace weir::inspect::match {

/// Purpose: which marks are set, each until its time is over. Bound: given to apply(); at it what is over goes, and without that
/// a new mark is not set (counted).
class HostBits {
 public:
  /// `flow`: sender to receiver of what the rule looks at.
  bool holds(const rules::XBits& bits, const Endpoints& flow, TimeNs now) const {
    using Operation = rules::XBits::Operation;
    if (bits.operation == Operation::kIsSet) return is_set(key_of(bits, flow), now);
    if (bits.operation == Operation::kIsNotSet) return !is_set(key_of(bits, flow), now);
    return true;
  }
  void apply(const rules::XBits& bits, const Endpoints& flow, TimeNs now, std::size_t most) {
    using Operation = rules::XBits::Operation;
    const bool toggles = bits.operation == Operation::kToggle;
    if (bits.operation != Operation::kSet && bits.operation != Operation::kUnset && !toggles) return;
    const Key key = key_of(bits, flow);
    if (bits.operation == Operation::kUnset || (toggles && is_set(key, now))) {
      until_.erase(key);
      return;
    }
    if (until_.size() >= most && !until_.contains(key)) {
      // All are looked at only once a second: a full table must not make each match dear.
      if (now - swept_ >= kSecond || swept_ == 0) {
        erase_if(until_, [&](const auto& entry) { return entry.second <= now; });
        swept_ = now;
      }
      if (until_.size() >= most) {
        ++dropped_;
        return;
      }
    }
    until_[key] = now + TimeNs{bits.expire_s} * kSecond;
  }
  std::uint64_t dropped() const { return dropped_; }

 private:
  static constexpr TimeNs kSecond = 1'000'000'000;
  struct Key {
    std::string name;
    bool pair = false;
    IpAddress first, second;
    bool operator==(const Key&) const = default;
    friend std::size_t hash_value(const Key& k) {
      std::size_t h = std::hash<std::string>{}(k.name) ^ (k.pair ? 0x9e3779b97f4a7c15U : 0);
      for (const auto* address : {&k.first, &k.second})
        for (const std::uint8_t octet : address->octets) h = (h ^ octet) * 0x100000001b3U;
      return h;
    }
  };
  static Key key_of(const rules::XBits& bits, const Endpoints& flow) {
    using Track = rules::XBits::Track;
    Key key{bits.name, bits.track == Track::kPair, {}, {}};
    if (bits.track == Track::kSource) key.first = flow.src;
    if (bits.track == Track::kDestination) key.first = flow.dst;
    if (bits.track == Track::kPair) {
      key.first = std::min(flow.src, flow.dst);
      key.second = std::max(flow.src, flow.dst);
    }
    return key;
  }
  bool is_set(const Key& key, TimeNs now) const {
    const auto found = until_.find(key);
    return found != until_.end() && found->second > now;
  }

  boost::unordered_flat_map<Key, TimeNs> until_;
  TimeNs swept_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace weir::inspect::match
