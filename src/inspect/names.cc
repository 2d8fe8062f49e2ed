#include "inspect/names.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

namespace weir::inspect {

namespace {

constexpr TimeNs kSecondNs = 1'000'000'000;
constexpr std::uint16_t kDnsPort = 53;
/// Resolvers give up after some seconds, and answer late at most as much.
constexpr TimeNs kAnswerNs = 20 * kSecondNs;
/// Applications keep what they resolved for a while even if its TTL is 0; and no one for longer than a day.
constexpr std::uint32_t kShortestTtl = 60, kLongestTtl = 86'400;
constexpr std::size_t kLongestChain = 16;  // of CNAMEs: resolvers follow about as many

/// Lower case; empty: it has octets that no host name has (RFC 1123 §2.1, and "_" as services have it).
std::string host_name(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.')) return {};
  }
  return out;
}

std::string_view octets_of(const IpAddress& address) { return {reinterpret_cast<const char*>(address.octets.data()), address.octets.size()}; }

std::size_t mix(std::size_t a, std::size_t b) { return (a ^ b) * 0x9e3779b97f4a7c15ULL; }

}  // namespace

std::size_t NameTable::Hash::operator()(const Pair& pair) const {
  const std::hash<std::string_view> hash;
  return mix(hash(octets_of(pair.client)), hash(octets_of(pair.server)) >> 1U);
}

std::size_t NameTable::Hash::operator()(const Query& query) const {
  const std::hash<std::string_view> hash;
  const auto ports = static_cast<std::size_t>(query.client_to_resolver.src_port) << 16U | query.id;
  return mix(mix(hash(octets_of(query.client_to_resolver.src)), ports), hash(query.name));
}

void NameTable::datagram(const Endpoints& from_to, const apps::DnsRecord& message, TimeNs now) {
  Query query{.client_to_resolver = from_to, .id = message.id, .name = host_name(message.name)};
  if (query.name.empty()) {
    if (!message.name.empty()) ++odd_;
    return;
  }
  if (!message.response) {
    if (from_to.dst_port != kDnsPort) return;
    if (const auto known = asked_.find(query); known != asked_.end()) {
      known->second->time_ns = now;
      asked_order_.splice(asked_order_.begin(), asked_order_, known->second);
      return;
    }
    if (asked_.size() >= most_) {
      asked_.erase(asked_order_.back().query);
      asked_order_.pop_back();
      ++evicted_;
    }
    asked_order_.push_front({query, now});
    asked_[std::move(query)] = asked_order_.begin();
    return;
  }
  if (from_to.src_port != kDnsPort) return;
  query.client_to_resolver = {from_to.dst, from_to.src, from_to.dst_port, from_to.src_port};
  const auto asked = asked_.find(query);
  // Stays until it is too old: a second capture point may show the answer again.
  if (asked == asked_.end() || now - asked->second->time_ns > kAnswerNs) {
    ++unasked_;
    return;
  }
  answer(from_to.dst, message, now);
}

void NameTable::answer(const IpAddress& client, const apps::DnsRecord& message, TimeNs now) {
  if (!message.response || message.rcode != "NOERROR") return;
  const std::string name = host_name(message.name);
  if (name.empty()) {
    if (!message.name.empty()) ++odd_;
    return;
  }
  // Addresses count of the name that was asked for, and of those that CNAMEs lead to from there (RFC 1034 §3.6.2), in whatever order they stand.
  std::vector<std::string> owners;
  for (const auto& each : message.answers) owners.push_back(host_name(each.name));
  std::vector<std::string> chain{name};
  const auto in_chain = [&](const std::string& owner) { return std::ranges::find(chain, owner) != chain.end(); };
  std::uint32_t ttl_s = kLongestTtl;
  for (bool longer = true; longer;) {
    longer = false;
    for (std::size_t i = 0; i < owners.size() && chain.size() < kLongestChain; ++i) {
      if (message.answers[i].type != "CNAME" || !in_chain(owners[i])) continue;
      std::string target = host_name(message.answers[i].data);
      if (target.empty() || in_chain(target)) continue;
      chain.push_back(std::move(target));
      ttl_s = std::min(ttl_s, message.answers[i].ttl_s);
      longer = true;
    }
  }
  for (std::size_t i = 0; i < owners.size(); ++i) {
    const auto& each = message.answers[i];
    if (each.addresses.empty() || !in_chain(owners[i])) continue;
    for (const IpAddress& address : each.addresses) learn({client, address}, name, std::min(ttl_s, each.ttl_s), now);
  }
}

void NameTable::learn(const Pair& pair, const std::string& name, std::uint32_t ttl_s, TimeNs now) {
  const TimeNs until = now + static_cast<TimeNs>(std::clamp(ttl_s, kShortestTtl, kLongestTtl)) * kSecondNs;
  if (const auto known = names_.find(pair); known != names_.end()) {
    Name& entry = *known->second;
    // The same answer again, at another point or from a cache, holds from when it was first seen.
    if (entry.name != name || entry.until_ns < now) entry.from_ns = now;
    entry.name = name;
    entry.until_ns = until;
    order_.splice(order_.begin(), order_, known->second);
    return;
  }
  if (names_.size() >= most_) {
    names_.erase(order_.back().pair);
    order_.pop_back();
    ++evicted_;
  }
  order_.push_front({pair, name, now, until});
  names_[pair] = order_.begin();
}

std::optional<std::string> NameTable::find(const IpAddress& client, const IpAddress& server, TimeNs at) const {
  const auto known = names_.find(Pair{client, server});
  if (known == names_.end()) return std::nullopt;
  const Name& entry = *known->second;
  if (at < entry.from_ns || at > entry.until_ns) return std::nullopt;
  return entry.name;
}

}  // namespace weir::inspect
