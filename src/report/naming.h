// Connections get the names of their servers, by DNS, TLS and HTTP, before the reports hear of them.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/observer.h"
#include "inspect/names.h"
#include "report/eve.h"

namespace weir::report {

/// Purpose: one table of names for all engines of a run: an answer and the connection it leads to may come to different ones. Threads: any; a lock, taken
/// for a message of DNS or the beginning of a connection.
class SharedNames {
 public:
  explicit SharedNames(std::size_t most) : names_(most) {}

  void datagram(const engine::DnsDatagram& datagram);
  void answer(const IpAddress& client, const inspect::apps::DnsRecord& message);
  std::optional<std::string> find(const engine::Endpoints& connection, TimeNs at) const;
  std::vector<NamedCounter> counters() const;

 private:
  mutable std::mutex lock_;
  inspect::NameTable names_;
  std::uint64_t malformed_ = 0;
};

/// Purpose: passes on what an engine tells, with names in the records. A connection's names are its own: subflows that join it later have them too.
/// Memory: the names of live connections, at most kMostNames each, of at most `most` connections. Ownership: names and next outlive it. Threads: its engine's.
class Naming : public engine::Observer {
 public:
  static constexpr std::size_t kMostNames = 4;      // of one connection: HTTP may name a new host with every request
  static constexpr std::size_t kLongestName = 255;  // RFC 1035 §2.3.4

  Naming(SharedNames& names, engine::Observer& next, std::size_t most) : names_(names), next_(next), most_(most) {}
  std::uint64_t left_out() const { return left_out_; }

  void on_handshake(const engine::ConnectionInfo&, engine::Handshake, TimeNs) override;
  void on_data(const engine::ConnectionInfo& info, const engine::StreamChunk& chunk) override { next_.on_data(info, chunk); }
  void on_gap(const engine::ConnectionInfo& info, engine::Direction d, std::uint64_t offset, std::uint64_t bytes, TimeNs time) override {
    next_.on_gap(info, d, offset, bytes, time);
  }
  void on_ack(const engine::ConnectionInfo& info, engine::Direction d, std::uint64_t offset, TimeNs time) override { next_.on_ack(info, d, offset, time); }
  void on_fin(const engine::ConnectionInfo& info, engine::Direction d, TimeNs time) override { next_.on_fin(info, d, time); }
  void on_reset(const engine::ConnectionInfo& info, engine::Direction d, TimeNs time) override { next_.on_reset(info, d, time); }
  void on_alert(const engine::AlertRecord&) override;
  void on_application(const engine::ApplicationRecord&) override;
  void on_file_data(const engine::ConnectionInfo& info, std::uint64_t file, std::span<const std::byte> bytes) override {
    next_.on_file_data(info, file, bytes);
  }
  void on_mapped(const engine::ConnectionInfo& info, const engine::MappedArrival& arrival) override { next_.on_mapped(info, arrival); }
  void on_option(const engine::ConnectionInfo& info, const engine::OptionSeen& option) override { next_.on_option(info, option); }
  void on_connection(const engine::ConnectionRecord&) override;
  void on_flow(const engine::FlowRecord&) override;
  void on_anomaly(const engine::AnomalyRecord& record) override { next_.on_anomaly(record); }
  void on_mptcp_use(const engine::ConnectionInfo& info, const inspect::MptcpUse& use) override { next_.on_mptcp_use(info, use); }
  void on_dns_datagram(const engine::DnsDatagram&) override;

 private:
  using Names = std::vector<engine::ServerName>;

  void add(std::uint64_t number, std::string_view name, engine::ServerName::Source source);
  Names names_of(const engine::ConnectionInfo& info) const;
  Names take(const engine::ConnectionInfo& info);

  SharedNames& names_;
  engine::Observer& next_;
  std::size_t most_;
  boost::unordered_flat_map<std::uint64_t, Names> live_;  ///< by the connection's number: those that have a name
  std::uint64_t left_out_ = 0;
};

}  // namespace weir::report
