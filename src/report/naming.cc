#include "report/naming.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "inspect/apps/dns.h"

namespace weir::report {

using Source = engine::ServerName::Source;

void SharedNames::datagram(const engine::DnsDatagram& datagram) {
  const auto message = inspect::apps::parse_dns(datagram.message);
  const std::lock_guard guard(lock_);
  if (message) {
    names_.datagram(datagram.endpoints, *message, datagram.time_ns);
  } else {
    ++malformed_;
  }
}

void SharedNames::answer(const IpAddress& client, const inspect::apps::DnsRecord& message) {
  const std::lock_guard guard(lock_);
  names_.answer(client, message, message.time_ns);
}

std::optional<std::string> SharedNames::find(const engine::Endpoints& connection, TimeNs at) const {
  const std::lock_guard guard(lock_);
  return names_.find(connection.src, connection.dst, at);
}

std::vector<NamedCounter> SharedNames::counters() const {
  const std::lock_guard guard(lock_);
  return {{"names.entries", names_.size()},
          {"names.unasked", names_.unasked()},
          {"names.odd", names_.odd()},
          {"names.malformed", malformed_},
          {"evicted.names", names_.evicted()}};
}

void Naming::add(std::uint64_t number, std::string_view name, Source source) {
  if (name.empty() || name.size() > kLongestName) return;
  auto known = live_.find(number);
  if (known == live_.end() && live_.size() >= most_) {
    ++left_out_;
    return;
  }
  if (known == live_.end()) known = live_.emplace(number, Names()).first;
  Names& names = known->second;
  if (std::ranges::any_of(names, [&](const auto& each) { return each.source == source && each.name == name; })) return;
  if (names.size() >= kMostNames) {
    ++left_out_;
    return;
  }
  names.push_back({std::string(name), source});
}

Naming::Names Naming::names_of(const engine::ConnectionInfo& info) const {
  Names names;
  if (const auto known = live_.find(info.number); known != live_.end()) names = known->second;
  // An answer may come to us later than the connection that it leads to: another interface, another thread.
  if (std::ranges::none_of(names, [](const auto& each) { return each.source == Source::kDns; })) {
    if (auto name = names_.find(info.endpoints, info.first_ns)) names.insert(names.begin(), {*std::move(name), Source::kDns});
  }
  return names;
}

Naming::Names Naming::take(const engine::ConnectionInfo& info) {
  Names names = names_of(info);
  live_.erase(info.number);
  return names;
}

void Naming::on_handshake(const engine::ConnectionInfo& info, engine::Handshake what, TimeNs time) {
  if (what >= engine::Handshake::kEstablished) {
    if (const auto name = names_.find(info.endpoints, time)) add(info.number, *name, Source::kDns);
  }
  next_.on_handshake(info, what, time);
}

void Naming::on_application(const engine::ApplicationRecord& record) {
  if (const auto* tls = std::get_if<inspect::apps::TlsRecord>(&record.what)) add(record.connection.number, tls->sni, Source::kSni);
  if (const auto* http = std::get_if<inspect::apps::HttpRecord>(&record.what)) add(record.connection.number, http->hostname, Source::kHttp);
  if (const auto* dns = std::get_if<inspect::apps::DnsRecord>(&record.what); dns != nullptr && dns->response)
    names_.answer(record.connection.endpoints.src, *dns);
  next_.on_application(record);
}

void Naming::on_alert(const engine::AlertRecord& record) {
  Names names = names_of(record.connection);
  if (names.empty()) return next_.on_alert(record);
  engine::AlertRecord named = record;
  named.names = std::move(names);
  next_.on_alert(named);
}

void Naming::on_connection(const engine::ConnectionRecord& record) {
  Names names = take(record.info);
  if (names.empty()) return next_.on_connection(record);
  engine::ConnectionRecord named = record;
  named.names = std::move(names);
  next_.on_connection(named);
}

void Naming::on_flow(const engine::FlowRecord& record) {
  Names names = take(record.info);
  if (names.empty()) return next_.on_flow(record);
  engine::FlowRecord named = record;
  named.names = std::move(names);
  next_.on_flow(named);
}

void Naming::on_dns_datagram(const engine::DnsDatagram& datagram) {
  names_.datagram(datagram);
  next_.on_dns_datagram(datagram);
}

}  // namespace weir::report
